#include "lib/mailbox/metadata.h"

#include "lib/base/encode.h"
#include "lib/base/strings.h"
#include "lib/mailbox/folder_lock.h"
#include "lib/mailbox/line_log.h"

namespace postern::mailbox {
namespace {

constexpr std::string_view kHeader = "postern-metadata 1";
constexpr std::uint64_t kMaxMetadataFile = 2 * kMaxMetadataEntries * kMaxMetadataValue;  // base64

}  // namespace

Result<Metadata> read_metadata(sys::Fs& fs, const std::string& file) {
    Metadata out;
    LineLog log(fs, file, kMaxMetadataFile);
    const auto on_line = [&out](std::string_view line) {
        const auto parts = split_once(line, ' ');
        if (!parts) return;
        if (auto value = base64_decode(parts->second))
            out.insert_or_assign(std::string(parts->first), *std::move(value));
    };
    auto exists = log.refresh({[](std::string_view) {}, on_line});
    if (!exists) return std::move(exists).error();
    return out;
}

Result<void> change_metadata(sys::Fs& fs, const std::string& file,
                             const std::vector<MetadataChange>& changes) {
    TRY_ASSIGN(const FolderLock lock, FolderLock::take(fs, file + ".lock"));
    TRY_ASSIGN(Metadata all, read_metadata(fs, file));
    for (const MetadataChange& change : changes) {
        if (change.value)
            all.insert_or_assign(change.name, *change.value);
        else
            all.erase(change.name);
    }
    if (all.size() > kMaxMetadataEntries)
        return Error{Errc::permanent, file + ": too many entries", 0};
    std::string content = cat({kHeader, "\n"});
    for (const auto& [name, value] : all) content += cat({name, " ", base64_encode(value), "\n"});
    LineLog log(fs, file);
    return log.replace(content);
}

}  // namespace postern::mailbox
