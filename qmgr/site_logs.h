// SiteLogs: which deferred messages wait for a site that may ask for its mail (ETRN, postqueue -s).
// One file per site in flush/, a line per message, written when it is deferred and removed when it
// is read: doc/decisions/site-logs.md. Nothing depends on them: what a lost line does not tell is
// delivered at the message's own time.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/ids.h"
#include "lib/base/result.h"
#include "lib/sys/fs.h"

namespace postern::qmgr {

class SiteLogs {
  public:
    // Old: nobody has asked for so long (fast_flush_refresh_time).
    SiteLogs(sys::Fs& fs, Seconds old) : fs_(fs), old_(old) {}

    // route says that fast_flush_domains has the domain of this address: it gets a log.
    void serve(std::string_view address);
    // The message waits for this recipient. Does nothing for sites that are not served.
    void note(std::string_view address, const QueueId& id, WallTime now);
    // What waits for the site, each message once; its log is removed.
    Result<std::vector<QueueId>> take(std::string_view site);
    // The same for all sites with old logs. What fails is logged.
    std::vector<QueueId> take_old(WallTime now);

  private:
    struct Site {
        QueueId last;        // what was written last
        bool begun = false;  // the log has its first line
    };

    Result<void> append(const std::string& path, const QueueId& id, WallTime now, bool begun);
    Result<std::vector<QueueId>> take_file(const std::string& path);
    Result<bool> is_old(const std::string& path, WallTime now);

    sys::Fs& fs_;
    const Seconds old_;
    std::unordered_map<std::string, Site> sites_;  // that are served, by path
    bool complained_ = false;
};

}  // namespace postern::qmgr
