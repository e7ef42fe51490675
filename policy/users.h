// MailUsers: the users of auth_passwd_file, for local_recipient_maps. Where policy may not read
// that file (as a uid of its own it may not: there are passwords in it), auth is asked by message.
#pragma once

#include <string>

#include "lib/table/user_table.h"

#include "policy/unlisted.h"

namespace postern::policy {

class MailUsers final : public UserDirectory {
  public:
    MailUsers(std::string passwd_file, std::string auth_socket);
    Lookup<bool> known(std::string_view user) override;
    ipc::QuotaAnswer room(const std::string& agent, const std::string& recipient,
                          std::uint64_t size) override;

  private:
    Lookup<bool> ask_auth(std::string_view user);

    std::string passwd_file_, auth_socket_;
    std::unique_ptr<table::Table> table_;  // null when the file may not be read
};

}  // namespace postern::policy
