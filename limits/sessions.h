// Sessions: who is here, as login and smtpd tell it. Pure. Each session belongs to the process that
// told of it (`owner`), which alone can change it, and with which it goes.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "lib/base/ip_address.h"
#include "lib/base/result.h"
#include "lib/ipc/messages/sessions.h"

namespace postern::limits {

// A filter of `postern who`, understood.
class Choice {
  public:
    // Errc::invalid names what is wrong.
    static Result<Choice> parse(const ipc::SessionFilter& filter);
    bool matches(const ipc::SessionFacts& facts) const;

  private:
    ipc::SessionFilter filter_;
    std::optional<IpNetwork> network_;
    std::optional<ipc::AuthProtocol> protocol_;
};

class Sessions {
  public:
    using Owner = std::uint64_t;
    struct Change {
        bool began = false;  // it was not known before
        std::optional<ipc::SessionFacts> ended;  // what was known of it
    };
    struct Found {
        Owner owner;
        ipc::SessionFacts facts;
    };

    explicit Sessions(std::size_t max) : max_(max) {}

    // Errc::no_space: there are `max` already.
    Result<Change> note(Owner owner, const ipc::SessionFacts& facts);
    // All of that process, which has ended; they are returned.
    std::vector<ipc::SessionFacts> forget(Owner owner);

    // Sessions that have not logged in, of a client; those of a user from there with a protocol.
    std::uint32_t logging_in(const std::string& client) const;
    std::uint32_t of_user(const ipc::SessionFacts& facts) const;

    // Those that match, with ids after `after`, at most `count`, in the order of the ids.
    std::vector<Found> list(const Choice& choice, const std::string& after,
                            std::size_t count) const;
    std::size_t size() const { return sessions_.size(); }

  private:
    using Key = std::pair<std::string, Owner>;
    using Counts = std::unordered_map<std::string, std::uint32_t>;
    static std::string count_key(const ipc::SessionFacts& facts);
    void count(const ipc::SessionFacts& facts, bool more);

    const std::size_t max_;
    std::map<Key, ipc::SessionFacts> sessions_;
    std::map<Owner, std::set<std::string>> owned_;
    Counts counts_;
};

}  // namespace postern::limits
