// SpareFiles: queue files of this process that qmgr has finished, to be written over by the next
// messages. Making a file, and removing it, costs the file system more than a message does
// (doc/decisions/reused-files.md).
#pragma once

#include <cstddef>
#include <deque>
#include <string>

#include "lib/base/fd.h"
#include "lib/base/ids.h"
#include "lib/sys/fs.h"

namespace postern::cleanup {

class SpareFiles {
  public:
    // At most so many files are kept, finished or not; with 0 none.
    SpareFiles(sys::Fs& fs, std::size_t limit) : fs_(fs), limit_(limit) {}
    ~SpareFiles();  // removes those that are finished; the others are qmgr's to remove
    SpareFiles(const SpareFiles&) = delete;
    SpareFiles& operator=(const SpareFiles&) = delete;

    // A file of this size that is finished, now at `path` and locked; none when there is none, or
    // when somebody still reads it.
    Fd take(std::size_t size, const std::string& path);
    // Whether one more can be kept, if need be by removing one that is finished.
    bool make_room();
    // Keeps a file. It is committed, open for writing, not locked, and qmgr will leave it to us.
    void add(const QueueId& name, Fd file, std::size_t size);

  private:
    struct Known {
        QueueId name;
        Fd file;
        std::size_t size;
    };
    // A deferred message takes its file along for good: then it is gone.
    enum class State : unsigned char { finished, in_queue, gone };
    // Does something to its spare name, if it has that.
    template <class Act>
    State if_finished(const Known& known, Act act);

    sys::Fs& fs_;
    std::size_t limit_;
    std::deque<Known> known_;  // who was looked at longest ago is first
};

}  // namespace postern::cleanup
