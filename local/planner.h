// Planner: what does a recipient of local or virtual stand for? Follows aliases(5) or the virtual
// mailbox tables. Pure but for tables and :include: files; runs in a process of its own as
// mail_owner, because those files may belong to users.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/strings.h"
#include "lib/table/address_class.h"
#include "lib/table/maps.h"

#include "local/messages.h"
#include "local/options.h"

namespace postern::local {

class Planner {
  public:
    explicit Planner(const Options& options);

    Plan plan(std::string_view address);

  private:
    struct Alias {
        std::string name;  // the key that was found
        std::vector<std::string> members;
    };
    Plan plan_local(std::string_view address);
    Plan plan_virtual(std::string_view address);
    Lookup<Alias> find_alias(const std::string& local);
    Result<void> include(const std::string& path, std::vector<std::string>& members, int depth);
    Result<void> flatten(const std::vector<std::string>& from, std::vector<std::string>& members,
                         int depth);
    // The local part, when the member is an address of this host; nothing for others.
    Result<std::optional<std::string>> local_name(const std::string& member);
    Plan forward(const Alias& alias, const std::set<std::string, ILess>& visited,
                 const std::string& user, const std::string& owner);
    Result<std::string> owner_of(const std::string& alias);
    Plan to_user(const std::string& local, const std::string& owner) const;

    const Options& options_;
    table::DomainClasses classes_;
    table::Maps aliases_, mailboxes_, uids_, gids_;
};

}  // namespace postern::local
