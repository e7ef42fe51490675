#include "cleanup/content_rules.h"

#include <algorithm>

#include "lib/base/strings.h"
#include "lib/log/log.h"

namespace postern::cleanup {
namespace {

constexpr std::size_t kMaxBcc = 100;  // recipients that the rules of one message may add
constexpr std::size_t kLogged = 200;  // of a line

std::string_view word_of(ContentKind kind) { return kind == ContentKind::body ? "body" : "header"; }

std::string_view parameter_of(ContentKind kind) {
    switch (kind) {
        case ContentKind::header: return "header_checks";
        case ContentKind::mime_header: return "mime_header_checks";
        case ContentKind::nested_header: return "nested_header_checks";
        case ContentKind::body: break;
    }
    return "body_checks";
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
    Judgement(ContentKind kind, std::string_view text, std::string matched, ContentEffects& effects)
        : kind_(kind), text_(text), matched_(std::move(matched)), effects_(effects) {}

    ContentFate act(std::string_view value) {
        const std::string_view command = value.substr(0, value.find_first_of(" \t"));
        const std::string_view rest = trim(value.substr(command.size()));
        if (!silent(command) && !stops(command, rest) && !reroutes(command, rest) &&
            !edits(command, rest))
            complain(cat({"unknown command: ", printable(value, kLogged)}));
        return std::move(fate_);
    }

  private:
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
        } else if (kind_ != ContentKind::body && !looks_like_field(rest)) {
            complain(cat({command, " action without valid header: ", printable(rest, kLogged)}));
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
        effects_.notes.push_back(
            {cat({action, ": ", word_of(kind_), " ", printable(text_, kLogged)}),
             printable(rest, kLogged), cat({parameter_of(kind_), " (", matched_, ")"})});
    }
    void complain(const std::string& what) const {
        log::warning("", cat({what, " in ", parameter_of(kind_), " map"}));
    }

    ContentKind kind_;
    std::string_view text_;
    std::string matched_;
    ContentEffects& effects_;
    ContentFate fate_;
};

}  // namespace

TableRules::TableRules(const Options& options)
    : maps_{table::Maps::open(options.header_checks), table::Maps::open(options.mime_header_checks),
            table::Maps::open(options.nested_header_checks),
            table::Maps::open(options.body_checks)} {
    for (auto& maps : maps_) {
        for (const Error& problem : maps.problems()) log::warning("", problem.what);
    }
}

bool TableRules::wants(ContentKind kind) const {
    return !maps_[static_cast<std::size_t>(kind)].empty();
}

Lookup<std::string> TableRules::find(ContentKind kind, std::string_view text) {
    return maps_[static_cast<std::size_t>(kind)].find(text);
}

std::string TableRules::matched(ContentKind kind) const {
    return maps_[static_cast<std::size_t>(kind)].matched();
}

ContentFate judge(ContentRules& rules, ContentKind kind, std::string_view text,
                  ContentEffects& effects) {
    if (!rules.wants(kind)) return {};
    auto found = rules.find(kind, text);
    if (found.failed()) {
        if (!effects.refusal) {
            log::warning("", cat({parameter_of(kind),
                                  " map lookup problem -- message not accepted, try again later: ",
                                  found.error().what}));
            effects.refusal = Verdict::defer("4.3.0", "Error: content checks are not available");
        }
        return {};
    }
    if (!found.found()) return {};
    return Judgement(kind, text, rules.matched(kind), effects).act(trim(*found));
}

}  // namespace postern::cleanup
