#include "qmgr/name_sync.h"

#include <utility>

#include "lib/base/strings.h"
#include "lib/log/log.h"

namespace postern::qmgr {
namespace {

constexpr Millis kNameWait{1000};  // one sync for all names that change meanwhile

}  // namespace

NameSync::NameSync(loop::Loop& loop, loop::FileSync& files, std::function<void()> done)
    : files_(files), done_(std::move(done)), timer_(loop, [this] { sync(); }) {}

void NameSync::changed(std::string directory) {
    directory_ = std::move(directory);
    if (!timer_.active() && !under_way_) timer_.start(kNameWait);
}

void NameSync::sync() {
    under_way_ = true;
    loop::SyncJob job;
    job.directory = std::exchange(directory_, {});
    files_.submit(std::move(job), [this](const loop::SyncJob& done) {
        under_way_ = false;
        if (done.directory_outcome)
            told_ = false;
        else if (!std::exchange(told_, true))
            log::warning("", cat({done.directory_outcome.error().what,
                                  ": mail that is done may be delivered again after a power cut"}));
        if (!directory_.empty()) timer_.start(kNameWait);
        done_();
    });
}

}  // namespace postern::qmgr
