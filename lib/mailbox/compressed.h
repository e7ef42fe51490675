// Messages that Dovecot compressed (its plugin zlib, zlib_save): the file is a gzip stream, and the
// sizes in its name are those of the text. We write none.
#pragma once

#include <string>
#include <string_view>

#include "lib/base/result.h"

namespace postern::mailbox {

inline constexpr std::size_t kMaxDecompressed = std::size_t{1} << 30;

// Does a file that begins so hold a compressed message, by any method of Dovecot's? Its first 16
// bytes tell.
bool is_compressed(std::string_view begin);
// The text. Errc::permanent: by a method that is not gzip, damaged, or larger than `limit`.
Result<std::string> decompressed(std::string_view file, std::size_t limit = kMaxDecompressed);

}  // namespace postern::mailbox
