// Is this address one that we would have to bounce? The recipient tables of each address class, as
// in Postfix's reject_unlisted_recipient: a recipient that is unknown is refused at RCPT, while the
// sender's own system still holds the message.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/result.h"
#include "lib/ipc/messages/quota.h"
#include "lib/table/address_class.h"
#include "lib/table/maps.h"

#include "policy/options.h"

namespace postern::policy {

// Asks another service about a local user when no table knows him; see Engine.
class UserDirectory {
  public:
    virtual ~UserDirectory() = default;
    virtual Lookup<bool> known(std::string_view user) = 0;
    // Whether the mailbox of a user of this host has room for a message, as this delivery agent
    // says; yes, where nobody can tell.
    virtual ipc::QuotaAnswer room(const std::string& /*agent*/, const std::string& /*recipient*/,
                                  std::uint64_t /*size*/) {
        return {};
    }
};

class ListedAddresses {
  public:
    enum class Whose : bool { sender, recipient };
    struct Unknown {
        int code = 550;
        std::string text;         // "User unknown in local recipient table"
        std::string_view status;  // empty: the usual one
    };

    // Borrows all; `users` may be null.
    ListedAddresses(const Options& options, table::DomainClasses& classes, UserDirectory* users);

    // Nothing when the address (complete) is listed, or of a class that has no list. Fails when a
    // table cannot tell.
    Result<std::optional<Unknown>> check(const std::string& address, Whose whose);
    // Of a recipient that is a mailbox of this host as it stands, and of this message: is there
    // room? Only what refuses is told.
    std::optional<ipc::QuotaAnswer> full(const std::string& address, std::uint64_t size);

  private:
    Result<bool> rewritten(const std::string& address, bool local, Whose whose);
    Result<std::optional<Unknown>> relocated(const std::string& address, bool local);
    Result<bool> local_user(const std::string& address);
    Result<bool> in(table::Maps& maps, const std::string& address, bool local);

    const Options& options_;
    table::DomainClasses& classes_;
    UserDirectory* users_;
    table::Maps local_, virtual_alias_, virtual_mailbox_, relay_, relocated_;
    table::Maps canonical_, sender_canonical_, recipient_canonical_;
};

}  // namespace postern::policy
