// Removes a file, or a directory with what is in it. The depth is bounded: what we make is a
// folder, cur/new/tmp, files.
#pragma once

#include <string>

#include "lib/base/result.h"
#include "lib/sys/fs.h"

namespace postern::mailbox {

Result<void> remove_tree(sys::Fs& fs, const std::string& path, int depth = 2);

}  // namespace postern::mailbox
