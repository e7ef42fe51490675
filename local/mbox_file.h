// Appending a message to an mbox file, with the locks that other mail programs respect. Runs as the
// file's owner. What was appended is synced; after a failure the file has its old length again.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "lib/base/result.h"
#include "lib/mailbox/mbox_lock.h"
#include "lib/sys/fs.h"

namespace postern::local {

struct MboxRules : mailbox::LockRules {  // mailbox_delivery_lock
    std::uint64_t size_limit = 0;        // of the file with the message; 0: none
    bool must_be_ours = false;           // strict_mailbox_ownership
    bool refuse_executable = false;
};

using AppendText =
    std::function<Result<void>(const std::function<Result<void>(std::string_view)>& write)>;

// Creates the file (0600) where it is missing; never through a symbolic link. Devices (/dev/null)
// are written to and nothing else. Errors: Errc::timeout when a lock cannot be had, no_space when
// the limit or the disk is full, denied and invalid for what will not get better by itself.
Result<void> append_to_mbox(sys::Fs& fs, const std::string& path, const MboxRules& rules,
                            const AppendText& text);

}  // namespace postern::local
