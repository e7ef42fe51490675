// What an administrator does to messages that nobody is delivering: hold, release, remove, requeue,
// expire. qmgr does it for postsuper while it runs; postsuper does it itself while the system is
// down.
#pragma once

#include <functional>
#include <vector>

#include "lib/base/ids.h"
#include "lib/base/result.h"
#include "lib/sys/fs.h"

#include "lib/queue/directories.h"

namespace postern::queue {

// How a file's mode says what its contents cannot: those are immutable, the mode is not.
inline constexpr mode_t kPlainMode = 0600;            // with none of these marks:
inline constexpr mode_t kModeDelayTold = 0010;        // the sender has had a delay warning
inline constexpr mode_t kModeFirstReportTold = 0100;  // expansions, and what sendmail -v wants
inline constexpr mode_t kModeForceExpire = 0001;      // return it to its sender at the next look

enum class Change : unsigned char { hold, release, remove, requeue, expire };

// Applies a change to a message wherever it rests. False when it is not in a place that the change
// concerns (already held, not held, not in the queue). Handles a message inside a batch: it gets a
// file of its own, or its recipients are marked done. Errc::temporary: somebody has its file locked,
// who delivers it or moves it, or is an agent that has just done with it.
Result<bool> change_message(sys::Fs& fs, const QueueId& id, Change change);
// That error: what the system says (a disk's error) is none of it.
bool is_in_use(const Error& error);

// Ids of all messages with recipients left in a directory (those inside batches too), sorted by
// name. Unreadable files are named by their file name.
Result<std::vector<QueueId>> list_messages(sys::Fs& fs, Directory directory);

// Files of a directory, one level of subdirectories included; names that are no ids are left out.
Result<std::vector<QueueId>> list_files(sys::Fs& fs, Directory directory);

}  // namespace postern::queue
