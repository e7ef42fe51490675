// NameSync: tells the disk within a second that queue files are finished. Nothing else does: a file
// that is written over is synced without its names (doc/decisions/reused-files.md), and what the
// disk does not know by the time of a power cut is delivered again.
#pragma once

#include <functional>
#include <string>

#include "lib/loop/file_sync.h"
#include "lib/loop/loop.h"

namespace postern::qmgr {

class NameSync {
  public:
    // `done`: after each sync, as `files` may have been wanted for other jobs meanwhile.
    NameSync(loop::Loop& loop, loop::FileSync& files, std::function<void()> done);

    // A name in this directory was given or removed. Journals are written in order, so the last
    // directory speaks for all.
    void changed(std::string directory);

  private:
    void sync();

    loop::FileSync& files_;
    std::function<void()> done_;
    std::string directory_;  // empty: nothing is to be told
    bool under_way_ = false;
    bool told_ = false;  // of a failure; there may be one each second
    loop::Timer timer_;
};

}  // namespace postern::qmgr
