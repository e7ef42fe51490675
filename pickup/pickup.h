// Pickup: empties maildrop/ whenever it is woken: by master every minute, by postdrop at once.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "lib/service/service.h"
#include "lib/sys/fs.h"

#include "pickup/submitter.h"

namespace postern::pickup {

class Pickup final : public service::Worker {
  public:
    static Result<std::unique_ptr<service::Worker>> create(const service::Context& context);
    Pickup(sys::Fs& fs, Options options, const Clock& clock = SystemClock::instance())
        : fs_(fs), options_(std::move(options)), clock_(clock) {}

    // That somebody connected is the news.
    Conversation serve(ipc::Channel&) override {
        run();
        return Conversation::over;
    }
    void on_wakeup() override { run(); }

    // Submits what is there, the oldest first, until nothing is left or cleanup cannot take more.
    void run();

  private:
    bool submit(const std::vector<std::string>& names);  // false: stop for now
    std::vector<std::string> waiting();
    std::optional<Dropped> open(const std::string& path);
    bool settle(const Dropped& dropped, const Verdict& verdict);
    bool give_back(const Dropped& dropped, const Verdict& verdict);
    void remove(const std::string& path);

    sys::Fs& fs_;
    const Options options_;
    const Clock& clock_;
    std::set<std::string> stuck_;  // names that are done with and cannot be removed, or are no mail
};

}  // namespace postern::pickup
