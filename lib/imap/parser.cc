#include "lib/imap/parser.h"

#include "lib/base/strings.h"
#include "lib/imap/command_reader.h"

namespace postern::imap {
namespace {

constexpr std::size_t kMaxFlag = 200;
constexpr std::size_t kMaxFlags =
    1000;  // more than a mailbox takes, which is told in words of its own

bool is_one_of(char c, std::string_view set) { return set.find(c) != std::string_view::npos; }

bool is_8bit(char c) { return (static_cast<unsigned char>(c) & 0x80) != 0; }

}  // namespace

Error bad(std::string_view what) { return Error{Errc::invalid, std::string(what)}; }

bool is_atom_char(char c) { return !is_control(c) && !is_8bit(c) && !is_one_of(c, "(){ %*\"\\]"); }
bool is_astring_char(char c) { return is_atom_char(c) || c == ']'; }
bool is_tag_char(char c) { return is_astring_char(c) && c != '+'; }

template <class Predicate>
std::string_view Parser::take_while(Predicate predicate) {
    std::size_t length = 0;
    while (length < rest_.size() && predicate(rest_[length])) ++length;
    const std::string_view taken = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return taken;
}

bool Parser::eat(char c) {
    if (peek() != c || rest_.empty()) return false;
    rest_.remove_prefix(1);
    return true;
}

Result<void> Parser::expect(char c) {
    if (eat(c)) return {};
    if (rest_.empty()) return bad("Missing arguments");
    return bad(c == ' ' ? std::string("Missing space between arguments")
                        : std::string("Missing '") + c + "'");
}

Result<void> Parser::end() {
    take_while([](char c) { return c == ' '; });
    if (!rest_.empty()) return bad("Unexpected extra arguments");
    return {};
}

Result<std::string_view> Parser::tag() {
    const auto tag = take_while(is_tag_char);
    if (tag.empty() || tag.size() > kMaxTag) return bad("Invalid tag");
    return tag;
}

Result<std::string_view> Parser::atom() {
    const auto atom = take_while(is_atom_char);
    if (atom.empty()) return bad(rest_.empty() ? "Missing arguments" : "Invalid atom");
    return atom;
}

Result<std::string_view> Parser::word() {
    const auto word = take_while([](char c) { return is_alnum(c) || c == '.' || c == '-'; });
    if (word.empty())
        return bad(rest_.empty() ? "Missing arguments" : "Invalid characters in atom");
    return word;
}

Result<std::uint64_t> Parser::number64() {
    const auto value = parse_number<std::uint64_t>(take_while(is_digit));
    if (!value) return bad("Invalid number");
    return *value;
}

Result<std::uint64_t> Parser::mod_sequence() {
    TRY_ASSIGN(const std::uint64_t value, number64());
    if (value > INT64_MAX) return bad("Invalid mod-sequence");
    return value;
}

Result<std::uint32_t> Parser::number() {
    const auto value = parse_number<std::uint32_t>(take_while(is_digit));
    if (!value) return bad("Invalid number");
    return *value;
}

Result<std::uint32_t> Parser::nz_number() {
    TRY_ASSIGN(const std::uint32_t value, number());
    if (value == 0) return bad("Invalid number 0");
    return value;
}

Result<std::string> Parser::astring() {
    if (peek() == '"' || peek() == '{') return string();
    const auto atom = take_while(is_astring_char);
    if (atom.empty())
        return bad(rest_.empty() ? "Missing arguments" : "Invalid characters in atom");
    return std::string(atom);
}

Result<std::string> Parser::string() {
    if (peek() == '"') return quoted();
    if (peek() == '{') return literal();
    return bad("Missing string");
}

Result<std::string> Parser::nstring() {
    if (peek() == '"' || peek() == '{') return string();
    TRY_ASSIGN(const std::string_view word, atom());
    if (!iequals(word, "NIL")) return bad("Missing string");
    return std::string();
}

Result<std::string> Parser::list_mailbox() {
    if (peek() == '"' || peek() == '{') return string();
    const auto atom = take_while([](char c) { return is_astring_char(c) || c == '%' || c == '*'; });
    if (atom.empty()) return bad("Missing mailbox pattern");
    return std::string(atom);
}

Result<std::string> Parser::quoted() {
    rest_.remove_prefix(1);
    std::string out;
    for (;;) {
        out += take_while(
            [](char c) { return c != '"' && c != '\\' && c != '\r' && c != '\n' && c != '\0'; });
        if (eat('"')) return out;
        // RFC 3501 9: only the quoted-specials may be escaped
        if (!eat('\\') || (peek() != '"' && peek() != '\\')) return bad("Invalid quoted string");
        out += rest_.front();
        rest_.remove_prefix(1);
    }
}

Result<std::optional<std::string>> Parser::nstring8() {
    const bool binary = eat('~');
    if (!binary && istarts_with(rest_, "NIL")) {
        TRY(atom());
        return std::optional<std::string>();
    }
    TRY_ASSIGN(std::string text, binary ? literal(true) : string());
    return std::optional(std::move(text));
}

Result<std::string> Parser::literal(bool may_have_nul) {
    const auto line_end = rest_.find("\r\n");
    CommandReader::Literal mark;
    if (line_end == std::string_view::npos || !announces_literal(rest_.substr(0, line_end), mark) ||
        rest_.find('}') != line_end - 1 || mark.size > rest_.size() - line_end - 2) {
        return bad("Invalid literal");
    }
    const std::string_view bytes = rest_.substr(line_end + 2, static_cast<std::size_t>(mark.size));
    rest_.remove_prefix(line_end + 2 + bytes.size());
    if (!may_have_nul && bytes.find('\0') != std::string_view::npos)
        return bad("Literal with a NUL");  // RFC 3501 9: CHAR8
    return std::string(bytes);
}

Result<SequenceSet> Parser::sequence_set() {
    if (eat('$')) return *SequenceSet::parse("$");
    auto set =
        SequenceSet::parse(take_while([](char c) { return is_digit(c) || is_one_of(c, ":,*"); }));
    if (!set) return bad("Invalid message set");
    return *std::move(set);
}

Result<std::string> Parser::flag() {
    std::string flag = eat('\\') ? "\\" : "";
    TRY_ASSIGN(const std::string_view name, atom());
    if (name.size() > kMaxFlag) return bad("Flag name too long");
    return flag.append(name);
}

Result<std::vector<std::string>> Parser::flag_list() {
    std::vector<std::string> flags;
    TRY(expect('('));
    if (eat(')')) return flags;
    for (;;) {
        TRY_ASSIGN(std::string name, flag());
        flags.push_back(std::move(name));
        if (flags.size() > kMaxFlags) return bad("Too many flags");
        if (eat(')')) return flags;
        TRY(space());
    }
}

}  // namespace postern::imap
