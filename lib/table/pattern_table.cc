#include "lib/table/pattern_table.h"

#include <regex.h>

#include <array>
#include <vector>

#include "lib/base/ip_address.h"
#include "lib/base/strings.h"
#include "lib/table/source.h"

namespace postern::table {
namespace {

constexpr std::size_t kMaxGroups = 10;  // $0 is not offered; $1 … $9
using Groups = std::array<std::string_view, kMaxGroups>;

// The matcher of one rule: match() says whether the key fits and, for regular expressions, which
// parts of it the groups caught.
class Matcher {
  public:
    virtual ~Matcher() = default;
    virtual bool match(const std::string& key, Groups& groups) const = 0;
};

class RegexpMatcher final : public Matcher {
  public:
    RegexpMatcher() = default;
    ~RegexpMatcher() override {
        if (compiled_) regfree(&regex_);
    }
    RegexpMatcher(const RegexpMatcher&) = delete;
    RegexpMatcher& operator=(const RegexpMatcher&) = delete;

    Result<void> compile(const std::string& pattern, int flags) {
        const int error = regcomp(&regex_, pattern.c_str(), flags);
        if (error != 0) {
            std::array<char, 200> text{};
            regerror(error, &regex_, text.data(), text.size());
            return Error{Errc::invalid, text.data()};
        }
        compiled_ = true;
        return {};
    }

    bool match(const std::string& key, Groups& groups) const override {
        std::array<regmatch_t, kMaxGroups> at{};
        if (regexec(&regex_, key.c_str(), at.size(), at.data(), 0) != 0) return false;
        for (std::size_t i = 0; i < at.size(); ++i) {
            if (at[i].rm_so < 0) continue;
            const auto start = static_cast<std::size_t>(at[i].rm_so);
            groups[i] =
                std::string_view(key).substr(start, static_cast<std::size_t>(at[i].rm_eo) - start);
        }
        return true;
    }

  private:
    regex_t regex_{};
    bool compiled_ = false;
};

class CidrMatcher final : public Matcher {
  public:
    explicit CidrMatcher(const IpNetwork& network) : network_(network) {}
    bool match(const std::string& key, Groups&) const override {
        const auto address = IpAddress::parse(key);
        return address && network_.contains(*address);
    }

  private:
    IpNetwork network_;
};

struct Rule {
    enum class Kind : unsigned char { match, begin_if, end_if };
    Kind kind = Kind::match;
    bool negated = false;
    std::unique_ptr<Matcher> matcher;  // none for endif
    std::string result;
    std::size_t end = 0;  // begin_if: index of its endif
};

// $1, ${1}, $(1) and $$. Anything else after '$' stays as it is.
std::string substitute(std::string_view text, const Groups& groups) {
    std::string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] != '$' || at + 1 == text.size()) {
            out += text[at];
            continue;
        }
        const char open = text[at + 1];
        const char close = open == '{' ? '}' : open == '(' ? ')' : '\0';
        const std::size_t digit = at + (close != '\0' ? 2 : 1);
        const bool closed = close == '\0' || (digit + 1 < text.size() && text[digit + 1] == close);
        if (open == '$') {
            out += '$';
            at += 1;
        } else if (digit < text.size() && is_digit(text[digit]) && text[digit] != '0' && closed) {
            out += groups[static_cast<std::size_t>(text[digit] - '0')];
            at = close != '\0' ? digit + 1 : digit;
        } else {
            out += '$';
        }
    }
    return out;
}

// Splits "/pattern/flags rest". The text begins with the delimiter, any character but white space.
struct RegexpText {
    std::string pattern;
    int flags = REG_EXTENDED | REG_ICASE;
    std::string_view rest;
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
    for (++at; at < text.size() && !is_space(text[at]); ++at) {
        switch (text[at]) {
            case 'i': out.flags ^= REG_ICASE; break;
            case 'm': out.flags ^= REG_NEWLINE; break;
            case 'x': out.flags ^= REG_EXTENDED; break;
            default:
                return Error{Errc::invalid, cat({"unknown regexp option: ", text.substr(at, 1)})};
        }
    }
    out.rest = trim(text.substr(at));
    return out;
}

struct Parsed {
    std::unique_ptr<Matcher> matcher;
    std::string_view rest;
};

Result<Parsed> parse_regexp(std::string_view text) {
    TRY_ASSIGN(const RegexpText parts, split_regexp(text));
    auto matcher = std::make_unique<RegexpMatcher>();
    TRY(matcher->compile(parts.pattern, parts.flags));
    return Parsed{std::move(matcher), parts.rest};
}

Result<Parsed> parse_cidr(std::string_view text) {
    const auto end = std::min(text.find_first_of(" \t"), text.size());
    const auto network = IpNetwork::parse(text.substr(0, end));
    if (!network)
        return Error{Errc::invalid, cat({"not an address or network: ", text.substr(0, end)})};
    return Parsed{std::make_unique<CidrMatcher>(*network), trim(text.substr(end))};
}

Result<Rule> parse_rule(PatternTable::Kind kind, std::string_view text) {
    Rule rule;
    if (iequals(text, "endif")) {
        rule.kind = Rule::Kind::end_if;
        return rule;
    }
    if (istarts_with(text, "if") && text.size() > 2 && !is_alnum(text[2])) {
        rule.kind = Rule::Kind::begin_if;
        text = trim_left(text.substr(2));
    }
    while (!text.empty() && text.front() == '!') {
        rule.negated = !rule.negated;
        text = trim_left(text.substr(1));
    }
    TRY_ASSIGN(Parsed parsed,
               kind == PatternTable::Kind::regexp ? parse_regexp(text) : parse_cidr(text));
    rule.matcher = std::move(parsed.matcher);
    rule.result = parsed.rest;
    if (rule.kind == Rule::Kind::match && rule.result.empty()) {
        return Error{Errc::invalid, "no result after the pattern"};
    }
    return rule;
}

class RuleTable final : public PatternTable {
  public:
    RuleTable(Kind kind, std::vector<Rule> rules) : kind_(kind), rules_(std::move(rules)) {}

    Lookup<std::string> lookup(std::string_view key) override {
        if (key.size() > kMaxKeySize) return NotFound{};
        const std::string subject(key);
        for (std::size_t i = 0; i < rules_.size(); ++i) {
            const Rule& rule = rules_[i];
            if (rule.kind == Rule::Kind::end_if) continue;
            Groups groups{};
            const bool fits = rule.matcher->match(subject, groups) != rule.negated;
            if (rule.kind == Rule::Kind::begin_if) {
                if (!fits) i = rule.end;
            } else if (fits) {
                return kind_ == Kind::regexp ? substitute(rule.result, groups) : rule.result;
            }
        }
        return NotFound{};
    }

  private:
    Kind kind_;
    std::vector<Rule> rules_;
};

// Gives every "if" the index of its "endif".
Result<void> pair_conditions(std::vector<Rule>& rules) {
    std::vector<std::size_t> open;
    for (std::size_t i = 0; i < rules.size(); ++i) {
        if (rules[i].kind == Rule::Kind::begin_if) open.push_back(i);
        if (rules[i].kind != Rule::Kind::end_if) continue;
        if (open.empty()) return Error{Errc::invalid, "endif without if"};
        rules[open.back()].end = i;
        open.pop_back();
    }
    if (!open.empty()) return Error{Errc::invalid, "if without endif"};
    return {};
}

}  // namespace

Result<std::unique_ptr<Table>> PatternTable::parse(Kind kind, std::string_view name,
                                                   std::string_view text) {
    std::vector<Rule> rules;
    for (const auto& line : logical_lines(text)) {
        auto rule = parse_rule(kind, trim(line.text));
        if (!rule) {
            return std::move(rule).error().within(
                cat({name, ", line ", std::to_string(line.number)}));
        }
        rules.push_back(std::move(rule).value());
    }
    if (auto paired = pair_conditions(rules); !paired)
        return std::move(paired).error().within(name);
    return std::unique_ptr<Table>(std::make_unique<RuleTable>(kind, std::move(rules)));
}

Result<std::unique_ptr<Table>> PatternTable::open(Kind kind, const std::string& path) {
    TRY_ASSIGN(const std::string text, read_file(path));
    return parse(kind, path, text);
}

}  // namespace postern::table
