// ldap: tables (Postfix's ldap_table(5)) through OpenLDAP's client library, loaded when the first
// such table is opened. What comes from a key is quoted for where it goes: RFC 4515 in filters, RFC
// 4514 in names.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/table/query.h"
#include "lib/table/table.h"

namespace postern::table {

// The parts of a key as they may stand in a filter, and in a distinguished name.
std::string quote_filter(std::string_view text);
std::string quote_name(std::string_view text);

// What a table's file says.
struct LdapSettings {
    std::string path;
    std::string servers;  // URIs with a space between them
    std::string search_base, query_filter;
    int scope = 2;                                             // LDAP_SCOPE_SUBTREE
    std::vector<std::string> result, leaf, terminal, special;  // attributes
    bool bind = true, start_tls = false, chase_referrals = false;
    std::string bind_dn, bind_password;
    int version = 3, dereference = 0;
    std::size_t timeout = 10;  // seconds
    std::size_t size_limit = 0, recursion_limit = 1000;
    std::string ca_file, ca_folder, certificate, key, ciphers;
    bool require_certificate = false;
    ResultRules rules;

    static Result<LdapSettings> from(const TableSettings& settings);
};

class LdapConnection;

class LdapTable final : public Table {
  public:
    // Reads the table's file; connects with the first lookup.
    static Result<std::unique_ptr<Table>> open(std::string_view path, Fold fold);
    ~LdapTable() override;

    Lookup<std::string> lookup(std::string_view key) override;

  private:
    LdapTable(LdapSettings settings, Fold fold);
    struct Question {
        std::string base, filter;
        int scope;
    };
    struct Answer {
        std::string_view key;
        std::string text;
        std::size_t count = 0;
    };
    Result<void> connect();
    Result<void> collect(const Question& question, Answer& answer, std::size_t depth);
    Result<void> ask(const Question& question, Answer& answer);

    LdapSettings settings_;
    Fold fold_;
    std::unique_ptr<LdapConnection> connection_;
};

}  // namespace postern::table
