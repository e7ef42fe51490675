// Failures: who has failed to log in how often, and how long his next answer, good or bad, is held
// back for it. Counted for a client (an address or network), and for a user from a client, over all
// connections, processes and protocols, as all of them ask this process. Pure: the time comes with
// every call.
#pragma once

#include <cstdint>
#include <list>
#include <string>
#include <unordered_map>

#include "lib/base/clock.h"

namespace postern::auth {

class Failures {
  public:
    struct Options {
        Millis longest{15'000};      // auth_failure_delay_limit; 0: nobody waits
        Millis memory{900'000};      // auth_failure_memory: after so long without one they are forgotten
        std::size_t max = 200'000;  // that are remembered; who failed longest ago is forgotten first
    };

    explicit Failures(Options options) : options_(options) {}

    // How long the answer to an attempt that has just been judged is held back, for what went
    // before. A typing error or two cost nothing; then the time doubles with each failure of the
    // user from there, and with every ten of the client with whatever users: many may share its
    // address.
    Millis delay(const std::string& client, const std::string& user, SteadyTime now);
    void failed(const std::string& client, const std::string& user, SteadyTime now);
    // Forgets the failures of this user from this client, in both counts: who guesses others'
    // passwords gains nothing by logging in with his own.
    void succeeded(const std::string& client, const std::string& user);

    std::size_t size() const { return entries_.size(); }

  private:
    struct Entry {
        std::uint32_t count = 0;
        SteadyTime last;
        std::list<std::string>::iterator order;
    };
    using Entries = std::unordered_map<std::string, Entry>;

    std::uint32_t count_of(const std::string& key) const;
    Millis doubled(std::uint32_t times) const;
    void add(const std::string& key, SteadyTime now);
    void remove(Entries::iterator at);
    void forget(SteadyTime now);

    const Options options_;
    Entries entries_;
    std::list<std::string> order_;  // who failed longest ago first
};

}  // namespace postern::auth
