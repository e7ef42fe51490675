#include "commands/parameter_text.h"

#include "lib/base/strings.h"
#include "lib/config/value.h"

namespace postern::commands {
namespace {

constexpr std::string_view kTypeNames[] = {"time", "size", "number", "yes or no",      "text",
                                           "list", "path", "choice", "list of tables", "template"};

std::string limits_text(const config::Row& row) {
    const config::Limits& limits = row.limits;
    if (!limits.choices.empty()) return cat({"One of: ", limits.choices, "."});
    const std::string_view unit = row.type == config::Type::Seconds ? "s" : "";
    if (limits.max != INT64_MAX) {
        return cat({"From ", std::to_string(limits.min), unit, " to ", std::to_string(limits.max),
                    unit, "."});
    }
    return limits.min == 0 ? "" : cat({"At least ", std::to_string(limits.min), unit, "."});
}

std::string default_text(const config::Row& row) {
    if (row.default_text == config::kComputed) return "found out at run time";
    return row.default_text.empty() ? "empty" : std::string(row.default_text);
}

std::string standing_sentence(const config::Row& row) {
    if (row.standing == config::Standing::no_effect) return "No effect.";
    if (row.standing == config::Standing::not_yet) return "Not honoured yet.";
    const std::string_view programs = config::readers(row);
    if (programs == "all") return "Honoured by every program.";
    if (programs == "$name") return "Honoured where other values mention it.";
    std::string out = "Honoured by ";
    for (std::string_view program : split_words(programs))
        out += cat({out.ends_with("by ") ? "" : ", ", program});
    return out + ".";
}

}  // namespace

ParameterText text_of(const config::Row& row) {
    return {kTypeNames[static_cast<std::size_t>(row.type)], default_text(row),
            trim(row.documentation), standing_sentence(row), limits_text(row)};
}

}  // namespace postern::commands
