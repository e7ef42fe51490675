// Every parameter of the suite, as typed handles: postern::param::smtpd_timeout. The rows are in
// params/*.def; adding one there is all that a new parameter needs (parser, default, postconf and
// manual page follow from it).
//
//   PARAM(Type, name, "default", limits, R"(documentation)")     honoured: some program reads it
//   NOT_YET(Type, name, "default", limits, R"(documentation)")   does nothing yet
//   ACCEPTED(Type, name, "default", limits, R"(why it has no effect)")
//   PARAM_NAMED(Type, identifier, "name", "default", limits, R"(…)")   for names that C++ does not
//   allow
//
// A PARAM that no program reads, and a NOT_YET that some program reads, fail a test
// (params_test.cc): whoever teaches a program a parameter makes its row a PARAM.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "lib/config/types.h"

namespace postern::config {

enum class Id : std::uint16_t {
#define PARAM(type, name, default_text, limits, documentation) name,
#define NOT_YET(type, name, default_text, limits, documentation) name,
#define ACCEPTED(type, name, default_text, limits, documentation) name,
#define PARAM_NAMED(type, identifier, name, default_text, limits, documentation) identifier,
#include "lib/config/params/all.def"
#undef PARAM
#undef NOT_YET
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

// Which programs read a parameter, found out from the sources by tools/param-readers: "policy
// smtpd"; "all" when nearly every program does; "$name" when only the defaults of other parameters
// that are honoured mention it (stress). Empty: none.
std::string_view readers(const Row& row);

// Names that exist once per delivery transport: local_destination_concurrency_limit. Not all of
// them have rows; one without falls back to a row.
struct ServiceSuffix {
    std::string_view suffix;    // "_destination_concurrency_limit"
    std::string_view fallback;  // "default_destination_concurrency_limit"
};
std::span<const ServiceSuffix> service_suffixes();
// The suffix that this name ends in, if something comes before it; otherwise null.
const ServiceSuffix* find_service_suffix(std::string_view name);

// The row whose type and limits a set name obeys: its own, or for a transport's name the general
// one; nullptr for a name that is neither.
const Row* governing_row(std::string_view name);

}  // namespace postern::config

namespace postern::param {

#define PARAM(type, name, default_text, limits, documentation) \
    inline constexpr config::type##Param name = static_cast<config::type##Param>(config::Id::name);
#define NOT_YET(type, name, default_text, limits, documentation) \
    PARAM(type, name, default_text, limits, documentation)
#define ACCEPTED(type, name, default_text, limits, documentation) \
    PARAM(type, name, default_text, limits, documentation)
#define PARAM_NAMED(type, identifier, name, default_text, limits, documentation) \
    PARAM(type, identifier, default_text, limits, documentation)
#include "lib/config/params/all.def"
#undef PARAM
#undef NOT_YET
#undef ACCEPTED
#undef PARAM_NAMED

}  // namespace postern::param
