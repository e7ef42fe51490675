// LoginTimes: when users of POP3 have last logged in, as long as that keeps them from doing it
// again (RFC 2449 6.5). Pure. At most `max` are remembered; who came longest ago is forgotten first.
#pragma once

#include <list>
#include <string>
#include <unordered_map>

#include "lib/base/clock.h"

namespace postern::limits {

class LoginTimes {
  public:
    explicit LoginTimes(std::size_t max) : max_(max) {}

    // Whether the user may log in now, the last time being at least `delay` ago; then this time is
    // the last one.
    bool try_login(const std::string& user, Millis delay, SteadyTime now);
    std::size_t size() const { return times_.size(); }

  private:
    struct Last {
        std::string user;
        SteadyTime when;
        SteadyTime matters_until;
    };
    void forget(SteadyTime now);

    const std::size_t max_;
    std::list<Last> order_;  // the longest ago first
    std::unordered_map<std::string, std::list<Last>::iterator> times_;
};

}  // namespace postern::limits
