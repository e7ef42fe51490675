// Messages that Dovecot compressed (its plugin zlib, zlib_save): the file is a gzip stream, and the
// sizes in its name are those of the text. We write none.
#pragma once

#include <string>
#include <string_view>

#include "lib/base/result.h"

namespace postern::mailbox {

// Of a file whose name does not tell the size of its text, and in any case.
inline constexpr std::size_t kMaxDecompressed = std::size_t{256} << 20;

// Does a file that begins so hold a compressed message, by any method of Dovecot's? Its first 16
// bytes tell.
bool is_compressed(std::string_view begin);
// The text. Errc::permanent: by a method that is not gzip, damaged, or larger than `limit`.
Result<std::string> decompressed(std::string_view file, std::size_t limit);

// The text of a message from its file. `base`: of the file's name. A text may begin like a
// compressed one: it is none where the name has the file's own size, as all names of ours do.
Result<std::string> text_of_file(std::string file, std::string_view base);

}  // namespace postern::mailbox
