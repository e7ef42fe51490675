// Lists that something is a member of, or not, as Postfix writes them (mydestination,
// relay_domains, mynetworks): words, "!word" for an exception, "/file/name" for a file of such
// words, "type:table" for the keys of a table. The first member that matches decides.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/ip_address.h"
#include "lib/table/maps.h"

namespace postern::table {

enum class Parents : unsigned char {
    none,    // only the name itself
    dotted,  // ".example.com" matches a.example.com
    plain,   // "example.com" matches it too (parent_domain_matches_subdomains)
};

class MatchList {
  public:
    MatchList();
    // Never fails: a file that cannot be read becomes a member that cannot tell.
    static MatchList parse(std::string_view text, Parents parents = Parents::dotted);
    MatchList(MatchList&&) noexcept;
    MatchList& operator=(MatchList&&) noexcept;
    ~MatchList();

    bool empty() const;
    // The words as they stand, without tables (for inet_interfaces-like uses and for tests).
    std::vector<std::string> words() const;

    // Is this domain or other name a member? Without regard to case. Fails when a table does.
    Result<bool> matches_name(std::string_view name);
    // Is this client a member? By address (networks, tables of addresses), and by name if known.
    Result<bool> matches_client(const IpAddress& address, std::string_view name = {});

  private:
    struct Member;
    void add(std::string_view word, bool negated, int depth);
    void add_file(const std::string& path, bool negated, int depth);

    Parents parents_ = Parents::dotted;
    std::vector<Member> members_;
};

}  // namespace postern::table
