// What RealFs and BeneathFs make of the kernel's answers.
#pragma once

#include <dirent.h>

#include <string>
#include <vector>

#include "lib/base/result.h"
#include "lib/sys/fs.h"

namespace postern::sys {

FileInfo to_info(const struct stat& st);
// What is in an open directory, whose name errors tell.
Result<std::vector<DirEntry>> entries_of(DIR* directory, const std::string& path);

}  // namespace postern::sys
