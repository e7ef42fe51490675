// From main.cf to the plain options of this library: address classes, completion, parent matching.
#pragma once

#include <string_view>

#include "lib/config/config.h"

#include "lib/table/address_class.h"
#include "lib/table/address_lookup.h"
#include "lib/table/match_list.h"

namespace postern::table {

// mydestination, virtual_*_domains, relay_domains and this host's addresses. May ask the system for
// the addresses of names in inet_interfaces: at start, not per question.
ClassLists class_lists(const config::Config& config);
Completion completion(const config::Config& config);
// Does the pattern example.com match subdomains in that parameter
// (parent_domain_matches_subdomains)?
Parents parents_of(const config::Config& config, std::string_view parameter);

}  // namespace postern::table
