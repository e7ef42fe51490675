// Scanner: finds queue files by name and time, in slices of a few milliseconds, so that a restart
// with any number of queued messages serves new mail at once. incoming/ goes before deferred/; in
// deferred/ a file's modification time is the time of its next attempt (as in Postfix). hold/ is
// not looked at.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "lib/base/ids.h"
#include "lib/loop/loop.h"
#include "lib/queue/directories.h"
#include "lib/sys/fs.h"

namespace postern::qmgr {

class Scanner {
  public:
    struct Host {
        // Whether a message from there can be taken up now.
        std::function<bool(queue::Directory)> has_room;
        // A file that is due, or (`asked`) that somebody wants tried now. May load it or not.
        std::function<void(queue::Directory, const QueueId&, bool asked)> found;
        // A file in incoming/ that waits to be written over (queue::spare_path_of).
        std::function<void(const QueueId&)> found_spare;
    };
    enum class Which : unsigned char { due, all };  // all: whatever their time (flush)

    Scanner(loop::Loop& loop, sys::Fs& fs, Host host);

    // Starts a scan, or notes that another is wanted when one is under way.
    void scan_incoming();
    void scan_deferred(Which which);
    // Goes through these deferred messages, whatever their times.
    void go_through(const std::vector<QueueId>& deferred);

    // There is room again: goes on where has_room() stopped it.
    void resume();
    bool idle() const { return !incoming_.busy() && !named_.busy() && !deferred_.busy(); }

  private:
    struct Pass {
        queue::Directory directory;
        std::vector<std::string> directories;  // to list yet, last first
        std::string current;                   // being gone through
        std::vector<std::string> names;        // in it, last first
        bool all = false;
        bool again = false;  // asked for while under way
        bool again_all = false;

        bool busy() const { return !directories.empty() || !names.empty(); }
    };

    void wake();
    void slice();
    // One step of a pass; false when it has to wait for room.
    bool step(Pass& pass);
    void list_next(Pass& pass);
    void look_at(Pass& pass, const std::string& name);
    void begin_deferred(bool all);

    loop::Loop& loop_;
    sys::Fs& fs_;
    Host host_;
    Pass incoming_{queue::Directory::incoming, {}, {}, {}};
    Pass named_{queue::Directory::deferred, {}, {}, {}, true};  // by go_through()
    Pass deferred_{queue::Directory::deferred, {}, {}, {}};
    loop::Timer timer_;
};

}  // namespace postern::qmgr
