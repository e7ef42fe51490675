#include "lib/config/main_cf.h"

#include <algorithm>
#include <utility>

#include "lib/base/strings.h"

namespace postern::config {
namespace {

// A physical line with its line end taken off the front of text.
std::string_view take_line(std::string_view& text) {
    std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end == text.npos ? text.size() : end + 1);
    text.remove_prefix(line.size());
    return line;
}

bool is_comment(std::string_view line) {
    std::string_view visible = trim(line);
    return visible.empty() || visible.front() == '#';
}

bool continues(std::string_view line) { return !line.empty() && is_space(line.front()); }

// The parameter that a physical line begins to define, or nothing.
std::string_view defined_name(std::string_view line) {
    if (is_comment(line) || continues(line)) return {};
    auto sides = split_once(line, '=');
    return sides ? trim(sides->first) : std::string_view();
}

}  // namespace

std::string place(std::string_view file, int line) {
    return cat({file, ", line ", std::to_string(line), ": "});
}

std::string Problem::str() const {
    std::string out = line > 0 ? place(file, line) : file.empty() ? "" : file + ": ";
    return cat({out, parameter, parameter.empty() ? "" : ": ", text});
}

std::vector<LogicalLine> logical_lines(std::string_view text, std::string_view file,
                                       std::vector<Problem>& problems) {
    std::vector<LogicalLine> lines;
    auto bad = [&](int number, std::string what) {
        problems.push_back({std::string(file), number, "", std::move(what)});
    };
    if (text.size() > kMaxFile) {
        bad(0, "longer than 16 MB");
        return lines;
    }
    bool skipping = false;  // the continuation of a bad line is no further mistake
    for (int number = 1; !text.empty(); number++) {
        std::string_view line = take_line(text);
        if (line.find('\0') != line.npos) {
            bad(number, "contains a zero byte");
            return lines;  // a binary file would give thousands of these
        }
        if (is_comment(line)) continue;
        if (!continues(line)) {
            lines.push_back({std::string(trim_right(line)), number});
            skipping = false;
        } else if (!lines.empty()) {
            lines.back().text += trim_right(line);
        } else if (!std::exchange(skipping, true)) {
            bad(number,
                "begins with white space, but there is no line before it that it could continue");
        }
    }
    return lines;
}

namespace {

Error first_of(const std::vector<Problem>& problems) {
    return Error{Errc::invalid, problems.front().str()};
}

}  // namespace

Result<std::vector<LogicalLine>> logical_lines(std::string_view text, std::string_view file) {
    std::vector<Problem> problems;
    auto lines = logical_lines(text, file, problems);
    if (!problems.empty()) return first_of(problems);
    return lines;
}

namespace {

bool has_word(std::string_view line, std::string_view word) {
    const auto inside = [](char c) { return is_alnum(c) || c == '_'; };
    for (auto at = line.find(word); at != line.npos; at = line.find(word, at + 1)) {
        const auto end = at + word.size();
        if (at > 0 && inside(line[at - 1]) && inside(word.front())) continue;
        if (end < line.size() && inside(line[end]) && inside(word.back())) continue;
        return true;
    }
    return false;
}

}  // namespace

int line_of_word(std::string_view text, int first, std::string_view word) {
    int number = 0;
    while (!text.empty() && !word.empty()) {
        const std::string_view line = take_line(text);
        if (++number < first) continue;
        if (number > first && !continues(line) && !is_comment(line)) break;
        if (!is_comment(line) && has_word(line, word)) return number;
    }
    return first;
}

Result<MainEntry> parse_assignment(std::string_view text) {
    auto sides = split_once(text, '=');
    if (!sides) {
        return Error{Errc::invalid, cat({"missing '=' after parameter name: \"",
                                         printable(trim(text), 100), "\": expected name = value"})};
    }
    std::string_view name = trim(sides->first);
    if (name.empty()) return Error{Errc::invalid, "missing parameter name before '='"};
    if (name.find_first_of(" \t${}") != name.npos) {
        return Error{Errc::invalid, cat({"bad parameter name \"", printable(name, 100), "\""})};
    }
    return MainEntry{std::string(name), std::string(trim(sides->second)), 0};
}

std::vector<MainEntry> parse_main_cf(std::string_view text, std::string_view file,
                                     std::vector<Problem>& problems) {
    std::vector<MainEntry> entries;
    for (const LogicalLine& line : logical_lines(text, file, problems)) {
        auto entry = parse_assignment(line.text);
        if (entry) {
            entry->line = line.line;
            entries.push_back(std::move(*entry));
        } else {
            problems.push_back({std::string(file), line.line, "", entry.error().what});
        }
    }
    return entries;
}

Result<std::vector<MainEntry>> parse_main_cf(std::string_view text, std::string_view file) {
    std::vector<Problem> problems;
    auto entries = parse_main_cf(text, file, problems);
    if (!problems.empty()) return first_of(problems);
    return entries;
}

std::string edit_main_cf(std::string_view text, const std::vector<MainEdit>& edits) {
    std::string out;
    std::vector<bool> made(edits.size(), false);
    const MainEdit* within = nullptr;  // the edit whose old entry is being read
    while (!text.empty()) {
        std::string_view line = take_line(text);
        std::string_view name = defined_name(line);
        if (is_comment(
                line)) {  // also within an entry that goes away: comments are the administrator's
            out += line;
            continue;
        }
        if (!continues(line)) {
            auto edit = std::find_if(edits.begin(), edits.end(),
                                     [&](const MainEdit& e) { return e.name == name; });
            within = edit == edits.end() || name.empty() ? nullptr : &*edit;
            auto index = static_cast<std::size_t>(edit - edits.begin());
            if (within && within->kind == MainEdit::Kind::set && !made[index]) {
                out += cat({within->name, " = ", within->value, "\n"});
                made[index] = true;
            }
        }
        if (!within) out += line;
        if (within && within->kind == MainEdit::Kind::comment_out) out += cat({"#", line});
    }
    if (!out.empty() && out.back() != '\n') out += '\n';
    for (std::size_t i = 0; i < edits.size(); i++) {
        if (edits[i].kind != MainEdit::Kind::set || made[i]) continue;
        out += cat({edits[i].name, " = ", edits[i].value, "\n"});
    }
    return out;
}

}  // namespace postern::config
