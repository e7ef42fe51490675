// The table behind params.h. Defaults are checked while this file compiles: a row whose default
// does not parse or lies outside its limits stops the build and names itself.
#include "lib/config/params.h"

#include <algorithm>
#include <array>

#include "lib/config/value.h"

namespace postern::config {
namespace {

constexpr Row kRows[] = {
#define PARAM(type, name, default_text, limits, documentation) \
    {#name, default_text, limits, documentation, Type::type, Standing::honoured},
#define NOT_YET(type, name, default_text, limits, documentation) \
    {#name, default_text, limits, documentation, Type::type, Standing::not_yet},
#define ACCEPTED(type, name, default_text, limits, documentation) \
    {#name, default_text, limits, documentation, Type::type, Standing::no_effect},
#define PARAM_NAMED(type, identifier, name, default_text, limits, documentation) \
    {name, default_text, limits, documentation, Type::type, Standing::honoured},
#include "lib/config/params/all.def"
#undef PARAM
#undef NOT_YET
#undef ACCEPTED
#undef PARAM_NAMED
};

constexpr std::size_t kCount = static_cast<std::size_t>(Id::kCount);

#define PARAM(type, name, default_text, limits, documentation)    \
    static_assert(default_fits(Type::type, default_text, limits), \
                  "the default of " #name " does not fit its type or limits");
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

constexpr std::array<std::uint16_t, kCount> sorted_rows() {
    std::array<std::uint16_t, kCount> order{};
    for (std::size_t i = 0; i < kCount; i++) order[i] = static_cast<std::uint16_t>(i);
    std::sort(order.begin(), order.end(),
              [](std::uint16_t a, std::uint16_t b) { return kRows[a].name < kRows[b].name; });
    return order;
}

constexpr std::array<std::uint16_t, kCount> kByName = sorted_rows();

constexpr bool names_are_unique() {
    for (std::size_t i = 1; i < kCount; i++) {
        if (kRows[kByName[i - 1]].name == kRows[kByName[i]].name) return false;
    }
    return true;
}
static_assert(names_are_unique(), "two rows have the same name");

struct Readers {
    Id id;
    std::string_view programs;
};
constexpr Readers kReaders[] = {
#define READERS(identifier, programs) {Id::identifier, programs},
#include "lib/config/param_readers.inc"
#undef READERS
};

// Programs in the list of readers from which it is called "all".
constexpr std::ptrdiff_t kNearlyAll = 14;

// Whether the default of a row that is honoured mentions $name.
bool used_by_defaults(std::string_view name) {
    for (const Row& row : kRows) {
        if (row.standing != Standing::honoured) continue;
        for (std::size_t at = row.default_text.find(name); at != std::string_view::npos;
             at = row.default_text.find(name, at + 1)) {
            std::string_view before = row.default_text.substr(0, at);
            std::string_view after = row.default_text.substr(at + name.size());
            bool ends = after.empty() || !(is_alnum(after[0]) || after[0] == '_');
            if (ends && (before.ends_with('$') || before.ends_with("${"))) return true;
        }
    }
    return false;
}

constexpr ServiceSuffix kServiceSuffixes[] = {
    {"_delivery_slot_cost", "default_delivery_slot_cost"},
    {"_delivery_slot_discount", "default_delivery_slot_discount"},
    {"_delivery_slot_loan", "default_delivery_slot_loan"},
    {"_destination_concurrency_failed_cohort_limit",
     "default_destination_concurrency_failed_cohort_limit"},
    {"_destination_concurrency_limit", "default_destination_concurrency_limit"},
    {"_destination_concurrency_negative_feedback",
     "default_destination_concurrency_negative_feedback"},
    {"_destination_concurrency_positive_feedback",
     "default_destination_concurrency_positive_feedback"},
    {"_destination_rate_delay", "default_destination_rate_delay"},
    {"_destination_recipient_limit", "default_destination_recipient_limit"},
    {"_extra_recipient_limit", "default_extra_recipient_limit"},
    {"_initial_destination_concurrency", "initial_destination_concurrency"},
    {"_minimum_delivery_slots", "default_minimum_delivery_slots"},
    {"_recipient_limit", "default_recipient_limit"},
    {"_recipient_refill_delay", "default_recipient_refill_delay"},
    {"_recipient_refill_limit", "default_recipient_refill_limit"},
    {"_time_limit", "command_time_limit"},
    {"_transport_rate_delay", "default_transport_rate_delay"},
};

}  // namespace

std::span<const Row> rows() { return kRows; }

std::span<const std::uint16_t> rows_by_name() { return kByName; }

const Row* find_row(std::string_view name) {
    auto at =
        std::lower_bound(kByName.begin(), kByName.end(), name,
                         [](std::uint16_t id, std::string_view n) { return kRows[id].name < n; });
    if (at == kByName.end() || kRows[*at].name != name) return nullptr;
    return &kRows[*at];
}

std::string_view readers(const Row& row) {
    for (const Readers& entry : kReaders) {
        if (&kRows[static_cast<std::size_t>(entry.id)] != &row) continue;
        auto spaces = std::count(entry.programs.begin(), entry.programs.end(), ' ');
        return spaces + 1 >= kNearlyAll ? "all" : entry.programs;
    }
    // local_destination_recipient_limit is put together by who reads the general one.
    const ServiceSuffix* suffix = find_service_suffix(row.name);
    const Row* general = suffix != nullptr ? find_row(suffix->fallback) : nullptr;
    const bool same = general != nullptr && general != &row && general->type == row.type;
    if (same) return readers(*general);
    return used_by_defaults(row.name) ? "$name" : "";
}

std::span<const ServiceSuffix> service_suffixes() { return kServiceSuffixes; }

const ServiceSuffix* find_service_suffix(std::string_view name) {
    const ServiceSuffix* best = nullptr;
    for (const ServiceSuffix& candidate : kServiceSuffixes) {
        if (name.size() <= candidate.suffix.size() || !name.ends_with(candidate.suffix)) continue;
        // The longest wins: x_destination_recipient_limit is not the recipient limit of
        // x_destination.
        if (best == nullptr || candidate.suffix.size() > best->suffix.size()) best = &candidate;
    }
    return best;
}

const Row* governing_row(std::string_view name) {
    if (const Row* row = find_row(name)) return row;
    if (const ServiceSuffix* suffix = find_service_suffix(name)) return find_row(suffix->fallback);
    return nullptr;
}

}  // namespace postern::config
