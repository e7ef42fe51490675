// Every parameter of the suite, as typed handles: postern::param::smtpd_timeout. The rows are in
// params/*.def; adding one there is all that a new parameter needs (parser, default, postconf and
// manual page follow from it).
//
//   PARAM(Type, name, "default", limits, R"(documentation)")    honoured
//   ACCEPTED(Type, name, "default", limits, R"(why it has no effect)")
//   PARAM_NAMED(Type, identifier, "name", "default", limits, R"(…)")   for names that C++ does not
//   allow
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "lib/config/types.h"

namespace postern::config {

enum class Id : std::uint16_t {
#define PARAM(type, name, default_text, limits, documentation) name,
#define ACCEPTED(type, name, default_text, limits, documentation) name,
#define PARAM_NAMED(type, identifier, name, default_text, limits, documentation) identifier,
#include "lib/config/params/all.def"
#undef PARAM
#undef ACCEPTED
#undef PARAM_NAMED
    kCount
};

// All rows, indexed by Id.
std::span<const Row> rows();
// Ids in the order of their names.
std::span<const std::uint16_t> rows_by_name();
// The row of this name, or null.
const Row* find_row(std::string_view name);

// Names that exist once per delivery transport: local_destination_concurrency_limit. Not all of
// them have rows; one without falls back to a row.
struct ServiceSuffix {
    std::string_view suffix;    // "_destination_concurrency_limit"
    std::string_view fallback;  // "default_destination_concurrency_limit"
};
std::span<const ServiceSuffix> service_suffixes();
// The suffix that this name ends in, if something comes before it; otherwise null.
const ServiceSuffix* find_service_suffix(std::string_view name);

}  // namespace postern::config

namespace postern::param {

#define PARAM(type, name, default_text, limits, documentation) \
    inline constexpr config::type##Param name = static_cast<config::type##Param>(config::Id::name);
#define ACCEPTED(type, name, default_text, limits, documentation) \
    PARAM(type, name, default_text, limits, documentation)
#define PARAM_NAMED(type, identifier, name, default_text, limits, documentation) \
    PARAM(type, identifier, default_text, limits, documentation)
#include "lib/config/params/all.def"
#undef PARAM
#undef ACCEPTED
#undef PARAM_NAMED

}  // namespace postern::param
