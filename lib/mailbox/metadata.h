// Metadata: what clients note about a folder, or about the whole store (RFC 5464): a text file of
// entries beside it, replaced as a whole under a lock of its own.
//   postern-metadata 1
//   /private/comment <base64>
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"
#include "lib/sys/fs.h"

namespace postern::mailbox {

inline constexpr std::size_t kMaxMetadataEntries = 200;
inline constexpr std::size_t kMaxMetadataValue = 64 * 1024;

using Metadata = std::map<std::string, std::string>;  // names in lower case
struct MetadataChange {
    std::string name;
    std::optional<std::string> value;  // nothing: the entry goes
};

// Entries that are one user's own, RFC 5464 3.1 (names in lower case).
inline bool is_private_entry(std::string_view name) { return name.starts_with("/private/"); }

Result<Metadata> read_metadata(sys::Fs& fs, const std::string& file);
// All changes or none. Errc::permanent: there would be too many entries.
Result<void> change_metadata(sys::Fs& fs, const std::string& file,
                             const std::vector<MetadataChange>& changes);

}  // namespace postern::mailbox
