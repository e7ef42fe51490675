// The file of trace records (lib/log/record.h): master opens it once, all daemons that handle
// messages inherit the descriptor and append. Nobody renames or rewrites it while they do: what is
// too old or too much is given back to the disk as a hole at its beginning. Master never reads what
// others wrote.
#pragma once

#include <deque>
#include <string>

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/result.h"
#include "lib/config/config.h"

namespace postern::master {

struct RecordsLimits {
    std::uint64_t size = 0;  // 0: no records are kept
    Micros age{0};
};
RecordsLimits records_limits(const config::Config& config);

class RecordsFile {
  public:
    // `folder` (log::kRecordsFolder) is made where it does not exist.
    static Result<RecordsFile> open(std::string folder, RecordsLimits limits,
                                    const Clock& clock = SystemClock::instance());

    int fd() const { return file_.get(); }
    void set_limits(RecordsLimits limits) { limits_ = limits; }
    // Once in a while: gives back what is over the limits. An Error is told once by the caller.
    Result<void> trim();

  private:
    // How long the file was at that time: everything before is at least that old.
    struct Mark {
        WallTime time;
        std::uint64_t size;
    };
    RecordsFile(std::string folder, RecordsLimits limits, Fd file, const Clock& clock)
        : folder_(std::move(folder)), limits_(limits), file_(std::move(file)), clock_(&clock) {}
    Result<void> load_marks(std::uint64_t size, WallTime last_change);
    Result<void> add_mark(std::uint64_t size);
    Result<void> give_back(std::uint64_t until);

    std::string folder_;
    RecordsLimits limits_;
    Fd file_;
    const Clock* clock_;
    std::deque<Mark> marks_;
    std::uint64_t given_back_ = 0;  // bytes at the beginning
};

}  // namespace postern::master
