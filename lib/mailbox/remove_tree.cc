#include "lib/mailbox/remove_tree.h"

namespace postern::mailbox {

Result<void> remove_tree(sys::Fs& fs, const std::string& path, int depth) {
    TRY_ASSIGN(const auto info, fs.info(path));
    if (info.kind != sys::FileInfo::Kind::directory || depth < 0) return fs.unlink(path);
    TRY_ASSIGN(const auto entries, fs.list(path));
    for (const auto& entry : entries) TRY(remove_tree(fs, path + "/" + entry.name, depth - 1));
    return fs.remove_directory(path);
}

}  // namespace postern::mailbox
