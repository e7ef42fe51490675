#include "lib/content/rules.h"

#include <algorithm>

#include "lib/base/strings.h"
#include "lib/base/unicode.h"
#include "lib/log/log.h"

namespace postern::content {
namespace {

constexpr std::size_t kMaxBcc = 100;  // recipients that the rules of one message may add

std::string_view word_of(Kind kind) { return kind == Kind::body ? "body" : "header"; }

std::string parameter_of(Kind kind, const Dialect& dialect) {
    constexpr std::string_view kNames[] = {"header_checks", "mime_header_checks",
                                           "nested_header_checks", "body_checks"};
    return cat({dialect.prefix, kNames[static_cast<std::size_t>(kind)]});
}

bool looks_like_field(std::string_view text) {
    const std::size_t colon = text.find(':');
    return colon != 0 && colon != std::string_view::npos &&
           std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(colon),
                       [](char c) { return c > ' ' && c < 127; });
}

bool is_digits(std::string_view text) {
    return !text.empty() && text.size() <= 3 && std::all_of(text.begin(), text.end(), is_digit);
}

// "5.7.1 text" -> its status and the rest; a status of another class does not count.
std::pair<std::string, std::string_view> split_status(std::string_view text,
                                                      std::string_view fallback) {
    const std::string_view word = text.substr(0, text.find_first_of(" \t"));
    const auto parts = split(word, '.');
    const bool is_status = parts.size() == 3 && parts[0] == fallback.substr(0, 1) &&
                           is_digits(parts[1]) && is_digits(parts[2]);
    if (!is_status) return {std::string(fallback), text};
    return {std::string(word), trim(text.substr(word.size()))};
}

// One rule's action on one piece of text.
class Judgement {
  public:
    Judgement(const Rules& rules, Kind kind, std::string_view text, Effects& effects)
        : kind_(kind),
          text_(text),
          dialect_(rules.dialect()),
          matched_(rules.matched(kind)),
          effects_(effects) {}

    Fate act(std::string_view value) {
        const std::string_view command = value.substr(0, value.find_first_of(" \t"));
        const std::string_view rest = trim(value.substr(command.size()));
        if (unsupported(command))
            complain(cat({"unsupported command: ", printable(value, dialect_.logged)}));
        else if (!silent(command) && !stops(command, rest) && !reroutes(command, rest) &&
                 !edits(command, rest))
            complain(cat({"unknown command: ", printable(value, dialect_.logged)}));
        return std::move(fate_);
    }

  private:
    bool unsupported(std::string_view command) const {
        constexpr std::string_view kDecisions[] = {"REJECT", "DISCARD",  "HOLD",
                                                   "FILTER", "REDIRECT", "BCC"};
        if (!dialect_.prepends && iequals(command, "PREPEND")) return true;
        return dialect_.edits_only &&
               std::any_of(std::begin(kDecisions), std::end(kDecisions),
                           [&](std::string_view one) { return iequals(command, one); });
    }
    bool silent(std::string_view command) {
        if (iequals(command, "IGNORE")) fate_.keep = false;
        return iequals(command, "IGNORE") || iequals(command, "DUNNO") || iequals(command, "OK");
    }
    bool stops(std::string_view command, std::string_view rest) {
        if (iequals(command, "REJECT")) {
            auto [status, why] = split_status(rest, "5.7.1");
            note("reject", rest);
            if (!effects_.refusal)
                effects_.refusal = Verdict::reject(
                    status, why.empty() ? "message content rejected" : std::string(why));
            return true;
        }
        if (iequals(command, "DISCARD")) {
            note("discard", rest);
            effects_.discard = true;
            return true;
        }
        if (!iequals(command, "HOLD")) return false;
        if (!effects_.hold) note("hold", rest);
        effects_.hold = true;
        return true;
    }
    bool reroutes(std::string_view command, std::string_view rest) {
        if (iequals(command, "FILTER")) {
            if (rest.find(':') == std::string_view::npos) {
                complain(cat({"bad FILTER command: ", rest, ": missing transport:destination"}));
            } else {
                note("filter", rest);
                effects_.filter = rest;
            }
            return true;
        }
        const bool redirect = iequals(command, "REDIRECT");
        if (!redirect && !iequals(command, "BCC")) return false;
        const bool is_address = rest.find('@') != std::string_view::npos &&
                                std::none_of(rest.begin(), rest.end(),
                                             [](char c) { return is_control(c) || c == ' '; });
        if (!is_address) {
            complain(cat({"bad ", command, " target \"", rest, "\": need user@domain"}));
        } else if (redirect) {
            note("redirect", rest);
            effects_.redirect = rest;
        } else if (effects_.bcc.size() < kMaxBcc) {
            note("bcc", rest);
            effects_.bcc.emplace_back(rest);
        }
        return true;
    }
    bool edits(std::string_view command, std::string_view rest) {
        if (iequals(command, "WARN") || iequals(command, "INFO")) {
            note(iequals(command, "WARN") ? "warning" : "info", rest);
            return true;
        }
        if (iequals(command, "STRIP")) {
            note("strip", rest);
            fate_.keep = false;
            return true;
        }
        const bool prepend = iequals(command, "PREPEND");
        if (!prepend && !iequals(command, "REPLACE")) return false;
        if (rest.empty()) {
            complain(cat({command, " action without text"}));
        } else if (kind_ != Kind::body && !looks_like_field(rest)) {
            complain(cat({command, " action without valid header: ", printable(rest, 200)}));
        } else if (prepend) {
            note("prepend", rest);
            fate_.prepend = rest;
        } else {
            note("replace", rest);
            fate_.replaced = true;
            fate_.text = rest;
        }
        return true;
    }

    void note(std::string_view action, std::string_view rest) {
        effects_.notes.push_back({cat({dialect_.noted_as, action, ": ", word_of(kind_), " ",
                                       printable(text_, dialect_.logged)}),
                                  printable(rest, 200),
                                  cat({parameter_of(kind_, dialect_), " (", matched_, ")"})});
    }
    void complain(const std::string& what) const {
        log::warning("", cat({what, " in ", parameter_of(kind_, dialect_), " map"}));
    }

    Kind kind_;
    std::string_view text_;
    Dialect dialect_;
    std::string matched_;
    Effects& effects_;
    Fate fate_;
};

}  // namespace

TableRules::TableRules(const TableNames& tables, const Dialect& dialect)
    : maps_{table::Maps::open(tables.header), table::Maps::open(tables.mime_header),
            table::Maps::open(tables.nested_header), table::Maps::open(tables.body)},
      dialect_(dialect) {
    for (auto& maps : maps_) {
        for (const Error& problem : maps.problems()) log::warning("", problem.what);
    }
}

bool TableRules::empty() const {
    return std::all_of(std::begin(maps_), std::end(maps_),
                       [](const table::Maps& maps) { return maps.empty(); });
}

bool TableRules::wants(Kind kind) const { return !maps_[static_cast<std::size_t>(kind)].empty(); }

Lookup<std::string> TableRules::find(Kind kind, std::string_view text) {
    return maps_[static_cast<std::size_t>(kind)].find(text);
}

std::string TableRules::matched(Kind kind) const {
    return maps_[static_cast<std::size_t>(kind)].matched();
}

Fate judge(Rules& rules, Kind kind, std::string_view text, Effects& effects) {
    if (!rules.wants(kind)) return {};
    auto found = rules.find(kind, text);
    if (found.failed()) {
        if (!effects.refusal) {
            const Dialect dialect = rules.dialect();
            log::warning("", cat({parameter_of(kind, dialect), " map lookup problem -- ",
                                  dialect.edits_only ? "deferring delivery: "
                                                     : "message not accepted, try again later: ",
                                  found.error().what}));
            effects.refusal = Verdict::defer("4.3.0", "Error: content checks are not available");
        }
        return {};
    }
    if (!found.found()) return {};
    return Judgement(rules, kind, text, effects).act(trim(*found));
}

void refuse_mime(Effects& effects, std::string_view what, std::string_view sample) {
    if (effects.refusal) return;
    effects.notes.push_back(
        {cat({"reject: mime-error ", what, ": ", printable(trim(sample), 200)}), {}, {}});
    effects.refusal = Verdict::reject("5.6.0", std::string(what));
}

void check_field(std::string_view field, Effects& effects) {
    if (!is_ascii(field))
        refuse_mime(effects, "improper use of 8-bit data in message header", field);
}

// RFC 5322 2.2: printable, no colon; 4.5.8: white space before the colon.
std::size_t field_name_size(std::string_view line) {
    std::size_t size = 0;
    while (size < line.size() && line[size] > ' ' && line[size] < 127 && line[size] != ':') ++size;
    std::size_t colon = size;
    while (colon < line.size() && (line[colon] == ' ' || line[colon] == '\t')) ++colon;
    return colon < line.size() && line[colon] == ':' ? size : 0;
}

bool is_mime_field(std::string_view lower_name) {
    constexpr std::string_view kFields[] = {"content-description", "content-disposition",
                                            "content-id",          "content-transfer-encoding",
                                            "content-type",        "mime-version"};
    return std::find(std::begin(kFields), std::end(kFields), lower_name) != std::end(kFields);
}

bool is_utf8_field(std::string_view field) { return !is_ascii(field) && is_utf8(field); }

std::optional<std::string> judge_field(Rules& rules, Kind kind, std::string field, Effects& effects,
                                       std::string& out) {
    if (!rules.wants(kind)) return field;
    std::string text(field);
    std::erase(text, '\r');
    if (text.ends_with('\n')) text.pop_back();
    const Fate fate = judge(rules, kind, text, effects);
    if (!fate.prepend.empty()) out += fate.prepend + "\r\n";
    if (!fate.keep) return std::nullopt;
    return fate.replaced ? fate.text + "\r\n" : std::move(field);
}

}  // namespace postern::content
