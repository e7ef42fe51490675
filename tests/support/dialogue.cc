#include "tests/support/dialogue.h"

#include <gtest/gtest.h>

#include "lib/base/strings.h"

namespace postern::support {
namespace {

using Values = std::map<std::string, std::string, std::less<>>;

struct ScriptLine {
    char who;  // 'C' or 'S'
    std::string text;
    std::size_t number;  // in the script, from 1
};

std::string_view without_indent(std::string_view line) {
    const auto at = line.find_first_not_of(" \t");
    return at == std::string_view::npos ? std::string_view() : line.substr(at);
}

std::vector<ScriptLine> lines_of(std::string_view script) {
    std::vector<ScriptLine> out;
    std::size_t number = 0;
    for (const auto& raw : split(script, '\n')) {
        ++number;
        const std::string_view line = without_indent(raw);
        if (line.empty() || line.starts_with("//")) continue;
        if (line.starts_with("C:") || line.starts_with("S:")) {
            std::string_view text = line.substr(2);
            if (text.starts_with(' ')) text.remove_prefix(1);
            out.push_back({line[0], std::string(text), number});
        } else if (!out.empty()) {
            out.back().text += cat({" ", line});
        } else {
            ADD_FAILURE() << "line " << number << " of the script has no line above: " << line;
        }
    }
    return out;
}

bool ends_in_literal(std::string_view line) {
    return line.ends_with('}') && line.find('{') != std::string_view::npos;
}

// The size of the literal that the line at the index begins.
std::size_t literal_size(const std::vector<ScriptLine>& lines, std::size_t index) {
    std::size_t next = index + 1;
    if (next < lines.size() && lines[next].who == 'S') ++next;  // the "+" of a synchronizing one
    std::size_t size = 0;
    for (; next + 1 < lines.size() && lines[next + 1].who == 'C'; ++next) {
        if (ends_in_literal(lines[next].text)) break;
        size += lines[next].text.size() + 2;
    }
    return size;
}

// The text with the names in it replaced by what they stand for.
std::string filled_in(std::string_view text, const Values& values) {
    std::string out;
    for (;;) {
        const auto begin = text.find("<<");
        const auto end = text.find(">>", begin == std::string_view::npos ? 0 : begin);
        if (begin == std::string_view::npos || end == std::string_view::npos)
            return out.append(text);
        const std::string_view name = text.substr(begin + 2, end - begin - 2);
        const auto found = values.find(name);
        if (found == values.end()) ADD_FAILURE() << "nothing is named <<" << name << ">> yet";
        out.append(text.substr(0, begin)).append(found == values.end() ? name : found->second);
        text.remove_prefix(end + 2);
    }
}

void say(const std::vector<ScriptLine>& lines, std::size_t index, const Values& values,
         const Dialogue::Send& send) {
    std::string text = filled_in(lines[index].text, values);
    const bool waits = text.ends_with("{#}");
    if (waits || text.ends_with("{#+}")) {
        text.resize(text.rfind('#'));
        text += std::to_string(literal_size(lines, index)) + (waits ? "}" : "+}");
    }
    send(text + "\r\n");
}

// Where the name that the pattern begins with ends; npos when it begins with none.
std::size_t name_end(std::string_view pattern) {
    return pattern.starts_with("<<") ? pattern.find(">>") : std::string_view::npos;
}

bool match_name(std::string_view name, std::string_view rest, std::string_view line,
                Values& values) {
    if (const auto known = values.find(name); known != values.end())
        return line.starts_with(known->second) &&
               line_matches(rest, line.substr(known->second.size()), values);
    std::size_t size = std::min(line.find_first_of(" ()[]{}\"\r\n"), line.size());
    for (; size > 0; --size) {
        Values trial = values;
        trial.emplace(name, line.substr(0, size));
        if (!line_matches(rest, line.substr(size), trial)) continue;
        values = std::move(trial);
        return true;
    }
    return false;
}

bool match_any(std::string_view rest, std::string_view line, Values& values) {
    for (std::size_t skip = 0; skip <= line.size(); ++skip)
        if (line_matches(rest, line.substr(skip), values)) return true;
    return false;
}

}  // namespace

bool line_matches(std::string_view pattern, std::string_view line, Values& values) {
    for (; !pattern.empty(); pattern.remove_prefix(1), line.remove_prefix(1)) {
        if (pattern.starts_with("...")) return match_any(pattern.substr(3), line, values);
        if (const auto end = name_end(pattern); end != std::string_view::npos)
            return match_name(pattern.substr(2, end - 2), pattern.substr(end + 2), line, values);
        if (line.empty() || line[0] != pattern[0]) return false;
    }
    return line.empty();
}

namespace {

// Takes lines up to one like the pattern; the line that is not, unless any may come before.
std::optional<std::string> hear(std::string_view pattern, bool any_before,
                                const Dialogue::Receive& receive, std::string& said,
                                Values& values) {
    for (;;) {
        const std::string line = receive();
        said += line;
        if (!line.ends_with("\r\n")) return line.empty() ? "nothing" : line + " (without CRLF)";
        if (line_matches(pattern, line.substr(0, line.size() - 2), values)) return std::nullopt;
        if (!any_before) return line;
    }
}

}  // namespace

bool Dialogue::play(std::string_view script, const Send& send, const Receive& receive) {
    const auto lines = lines_of(script);
    std::string said;
    bool any_before = false;  // after "S: ..."
    for (std::size_t i = 0; i < lines.size(); ++i) {
        if (lines[i].who == 'C') {
            say(lines, i, values, send);
            continue;
        }
        if (lines[i].text == "...") {
            any_before = true;
            continue;
        }
        if (const auto wrong =
                hear(lines[i].text, std::exchange(any_before, false), receive, said, values)) {
            ADD_FAILURE() << "line " << lines[i].number << " of the script: expected\n  "
                          << lines[i].text << "\nand there was\n  " << *wrong
                          << "\nThe server had said\n"
                          << said;
            return false;
        }
    }
    EXPECT_FALSE(any_before) << "a script cannot end with \"S: ...\"";
    return true;
}

}  // namespace postern::support
