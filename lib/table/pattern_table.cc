#include "lib/table/pattern_table.h"

#include <algorithm>
#include <vector>

#include "lib/base/ip_address.h"
#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/table/regex.h"
#include "lib/table/source.h"

namespace postern::table {
namespace {

using Kind = PatternTable::Kind;

class CidrMatcher final : public Regex {
  public:
    explicit CidrMatcher(const IpNetwork& network) : network_(network) {}
    Match match(const std::string& subject, Groups&) const override {
        const auto address = IpAddress::parse(subject);
        if (!address || address->bits() != network_.address().bits()) return Match::never;
        return network_.contains(*address) ? Match::yes : Match::no;
    }

  private:
    IpNetwork network_;
};

// A result as a series of texts and group numbers: $1, ${1}, $(1), and $$ for a dollar sign.
struct Piece {
    std::string text;
    std::size_t group = 0;  // 0: the text
};

Result<std::vector<Piece>> parse_result(std::string_view text, std::size_t groups) {
    std::vector<Piece> pieces(1);
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] != '$' || (at + 1 < text.size() && text[at + 1] == '$')) {
            pieces.back().text += text[at];
            if (text[at] == '$') ++at;
            continue;
        }
        const char open = at + 1 < text.size() ? text[at + 1] : '\0';
        const char close = open == '{' ? '}' : open == '(' ? ')' : '\0';
        const std::size_t digit = at + (close != '\0' ? 2 : 1);
        std::size_t end = digit;
        while (end < text.size() && is_digit(text[end])) ++end;
        const bool closed = close == '\0' || (end < text.size() && text[end] == close);
        const auto group = parse_number<std::size_t>(text.substr(digit, end - digit));
        if (!closed || !group) return Error{Errc::invalid, cat({"bad $number in \"", text, "\""})};
        if (*group == 0 || *group > groups) {
            return Error{Errc::invalid,
                         cat({"no group $", std::to_string(*group), " in the pattern"})};
        }
        pieces.push_back({"", *group});
        pieces.emplace_back();
        at = close != '\0' ? end : end - 1;
    }
    return pieces;
}

struct Rule {
    enum class Step : unsigned char { match, begin_if, end_if };
    Step step = Step::match;
    bool negated = false;
    int line = 0;
    std::unique_ptr<Regex> matcher;  // none for endif
    std::vector<Piece> result;
    std::size_t end = 0;  // begin_if: index of its endif
};

std::string join_pieces(const std::vector<Piece>& pieces, const Groups& groups) {
    std::string out;
    for (const Piece& piece : pieces) {
        if (piece.group == 0) out += piece.text;
        if (piece.group > 0 && piece.group < groups.size()) out += groups[piece.group];
    }
    return out;
}

// Splits "/pattern/letters rest". The text begins with the delimiter, any character but white
// space.
struct RegexpText {
    std::string pattern;
    std::string_view letters, rest;
};

Result<RegexpText> split_regexp(std::string_view text) {
    if (text.empty() || is_alnum(text.front())) return Error{Errc::invalid, "need a /pattern/"};
    const char delimiter = text.front();
    RegexpText out;
    std::size_t at = 1;
    for (; at < text.size() && text[at] != delimiter; ++at) {
        if (text[at] == '\\' && at + 1 < text.size()) {
            if (text[at + 1] != delimiter) out.pattern += '\\';
            ++at;
        }
        out.pattern += text[at];
    }
    if (at >= text.size()) return Error{Errc::invalid, cat({"no closing delimiter: ", text})};
    std::size_t end = ++at;
    while (end < text.size() && !is_space(text[end])) ++end;
    out.letters = text.substr(at, end - at);
    out.rest = trim(text.substr(end));
    return out;
}

struct Parsed {
    std::unique_ptr<Regex> matcher;
    std::string_view rest;
};

Result<Parsed> parse_regexp(Kind kind, std::string_view text) {
    TRY_ASSIGN(const RegexpText parts, split_regexp(text));
    TRY_ASSIGN(auto matcher, kind == Kind::pcre ? compile_pcre(parts.pattern, parts.letters)
                                                : compile_posix(parts.pattern, parts.letters));
    return Parsed{std::move(matcher), parts.rest};
}

Result<Parsed> parse_cidr(std::string_view text) {
    const auto end = std::min(text.find_first_of(" \t"), text.size());
    const auto network = IpNetwork::parse(text.substr(0, end));
    if (!network)
        return Error{Errc::invalid, cat({"not an address or network: ", text.substr(0, end)})};
    return Parsed{std::make_unique<CidrMatcher>(*network), trim(text.substr(end))};
}

Result<Rule> parse_rule(Kind kind, std::string_view text) {
    Rule rule;
    if (iequals(text, "endif")) {
        rule.step = Rule::Step::end_if;
        return rule;
    }
    if (istarts_with(text, "if") && text.size() > 2 && !is_alnum(text[2])) {
        rule.step = Rule::Step::begin_if;
        text = trim_left(text.substr(2));
    }
    while (!text.empty() && text.front() == '!') {
        rule.negated = !rule.negated;
        text = trim_left(text.substr(1));
    }
    TRY_ASSIGN(Parsed parsed, kind == Kind::cidr ? parse_cidr(text) : parse_regexp(kind, text));
    rule.matcher = std::move(parsed.matcher);
    if (rule.step == Rule::Step::begin_if) return rule;
    if (kind == Kind::cidr) {
        rule.result.push_back({std::string(parsed.rest)});
        return rule;
    }
    TRY_ASSIGN(rule.result, parse_result(parsed.rest, rule.negated ? 0 : rule.matcher->groups()));
    return rule;
}

class RuleTable final : public PatternTable {
  public:
    RuleTable(Kind kind, std::string name, std::vector<Rule> rules,
              std::vector<std::string> warnings)
        : kind_(kind),
          name_(std::move(name)),
          rules_(std::move(rules)),
          warnings_(std::move(warnings)) {}

    Lookup<std::string> lookup(std::string_view key) override {
        if (key.size() > kMaxKeySize) return NotFound{};
        const std::string subject(key);
        Groups groups;
        for (std::size_t i = 0; i < rules_.size(); ++i) {
            const Rule& rule = rules_[i];
            if (rule.step == Rule::Step::end_if) continue;
            groups.clear();
            const Match match = rule.matcher->match(subject, groups);
            if (match == Match::failed) {
                return Error{Errc::temporary, cat({name_, ", line ", std::to_string(rule.line),
                                                   ": the pattern takes too long for this key"})};
            }
            const bool fits = match != Match::never && (match == Match::yes) != rule.negated;
            if (rule.step == Rule::Step::begin_if) {
                if (!fits) i = rule.end;
            } else if (fits) {
                matched_line_ = rule.line;
                return join_pieces(rule.result, groups);
            }
        }
        return NotFound{};
    }

    std::vector<std::string> warnings() const override { return warnings_; }
    int matched_line() const override { return matched_line_; }

  private:
    Kind kind_;
    std::string name_;
    std::vector<Rule> rules_;
    std::vector<std::string> warnings_;
    int matched_line_ = 0;
};

// Gives every "if" the index of its "endif"; one without reaches to the end of the file.
std::vector<std::string> pair_conditions(std::vector<Rule>& rules) {
    std::vector<std::string> warnings;
    std::vector<std::size_t> open;
    auto warn = [&](const Rule& rule, std::string_view what) {
        warnings.push_back(cat({", line ", std::to_string(rule.line), ": ", what}));
    };
    for (std::size_t i = 0; i < rules.size(); ++i) {
        if (rules[i].step == Rule::Step::begin_if) open.push_back(i);
        if (rules[i].step != Rule::Step::end_if) continue;
        if (open.empty()) {
            warn(rules[i], "ignoring endif without if");
            continue;
        }
        rules[open.back()].end = i;
        open.pop_back();
    }
    for (const std::size_t i : open) {
        warn(rules[i], "if without endif");
        rules[i].end = rules.size();
    }
    return warnings;
}

// The table of a file that is read again when it has changed.
class ReloadedTable final : public PatternTable {
  public:
    ReloadedTable(Kind kind, std::string path) : kind_(kind), watch_(std::move(path)) {}

    Result<void> refresh() {
        TRY_ASSIGN(const auto text, watch_.read_if_changed());
        if (!text) return {};
        const bool first = table_ == nullptr;  // then its opener tells of the warnings
        TRY_ASSIGN(table_, parse(kind_, watch_.path(), *text));
        if (first) return {};
        for (const auto& warning : table_->warnings()) log::warning("", warning);
        return {};
    }
    Lookup<std::string> lookup(std::string_view key) override {
        if (auto ready = refresh(); !ready) return std::move(ready).error();
        return table_->lookup(key);
    }
    std::vector<std::string> warnings() const override { return table_->warnings(); }
    int matched_line() const override { return table_->matched_line(); }

  private:
    Kind kind_;
    FileWatch watch_;
    std::unique_ptr<Table> table_;
};

}  // namespace

Result<std::unique_ptr<Table>> PatternTable::parse(Kind kind, std::string_view name,
                                                   std::string_view text) {
    std::vector<Rule> rules;
    std::vector<std::string> warnings;
    for (const auto& line : logical_lines(text)) {
        auto rule = parse_rule(kind, trim(line.text));
        if (!rule && rule.error().code != Errc::invalid)
            return std::move(rule).error();  // no library
        const std::string place = cat({name, ", line ", std::to_string(line.number), ": "});
        if (rule) {
            const bool result = rule->step != Rule::Step::match || rule->result.size() > 1 ||
                                !rule->result.front().text.empty();
            if (!result) warnings.push_back(place + "no result: using the empty text");
            rule->line = line.number;
            rules.push_back(std::move(rule).value());
        } else {
            warnings.push_back(cat({place, rule.error().what, ": skipping this rule"}));
        }
    }
    for (const std::string& warning : pair_conditions(rules))
        warnings.push_back(cat({name, warning}));
    return std::unique_ptr<Table>(std::make_unique<RuleTable>(
        kind, std::string(name), std::move(rules), std::move(warnings)));
}

// Every rule in braces is a line.
Result<std::string> PatternTable::inline_rules(const std::string& spec) {
    TRY_ASSIGN(const std::string list, strip_braces(spec));
    std::string text;
    for (const auto& rule : split_list(list)) {
        if (rule.front() != '{') return Error{Errc::invalid, cat({"rule without '{': ", rule})};
        TRY_ASSIGN(const std::string line, strip_braces(rule));
        text += line + "\n";
    }
    return text;
}

Result<std::unique_ptr<Table>> PatternTable::open(Kind kind, const std::string& path) {
    if (path.starts_with('{')) {
        TRY_ASSIGN(const std::string text, inline_rules(path));
        return parse(kind, path, text);
    }
    auto table = std::make_unique<ReloadedTable>(kind, path);
    TRY(table->refresh());
    return std::unique_ptr<Table>(std::move(table));
}

}  // namespace postern::table
