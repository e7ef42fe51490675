#include "lib/mail/content_type.h"

#include <algorithm>

#include "lib/base/strings.h"

namespace postern::mail {
namespace {

// RFC 2045 5.1
bool is_token_char(char c) {
    return !is_control(c) && c != ' ' &&
           std::string_view("()<>@,;:\\\"/[]?=").find(c) == std::string_view::npos;
}

class Scanner {
  public:
    explicit Scanner(std::string_view text) : rest_(text) {}

    bool done() {
        skip_blanks();
        return rest_.empty();
    }

    bool eat(char c) {
        skip_blanks();
        if (rest_.empty() || rest_.front() != c) return false;
        rest_.remove_prefix(1);
        return true;
    }

    std::string token() {
        skip_blanks();
        std::size_t length = 0;
        while (length < rest_.size() && is_token_char(rest_[length])) ++length;
        std::string out(rest_.substr(0, length));
        rest_.remove_prefix(length);
        return out;
    }

    // A token or quoted string; unquoted values may hold what should have been quoted ("a
    // b/c.txt").
    std::string value() {
        if (eat('"')) return quoted();
        const auto end = std::min(rest_.find(';'), rest_.size());
        std::string_view raw = rest_.substr(0, end);
        raw = trim(raw.substr(0, std::min(raw.find(" ("), raw.size())));
        rest_.remove_prefix(end);
        return strip_line_ends(raw);
    }

    void skip_to(char c) {
        while (!rest_.empty() && rest_.front() != c) {
            if (eat('"')) {
                quoted();
            } else if (!rest_.empty()) {
                rest_.remove_prefix(1);
            }
        }
    }

  private:
    void skip_blanks() {
        while (!rest_.empty()) {
            if (rest_.front() == '(') {
                skip_comment();
            } else if (is_space(rest_.front())) {
                rest_.remove_prefix(1);
            } else {
                return;
            }
        }
    }

    void skip_comment() {
        int depth = 0;
        while (!rest_.empty()) {
            const char c = rest_.front();
            rest_.remove_prefix(1);
            if (c == '\\' && !rest_.empty()) rest_.remove_prefix(1);
            if (c == '(') ++depth;
            if (c == ')' && --depth == 0) return;
        }
    }

    std::string quoted() {
        std::string out;
        while (!rest_.empty()) {
            char c = rest_.front();
            rest_.remove_prefix(1);
            if (c == '"') return out;
            if (c == '\\' && !rest_.empty()) {
                c = rest_.front();
                rest_.remove_prefix(1);
            }
            if (c != '\r' && c != '\n') out += c;
        }
        return out;
    }

    static std::string strip_line_ends(std::string_view text) {
        std::string out;
        for (char c : text) {
            if (c != '\r' && c != '\n') out += c;
        }
        return out;
    }

    std::string_view rest_;
};

std::vector<Parameter> parse_parameters(Scanner& scanner) {
    std::vector<Parameter> parameters;
    while (!scanner.done() && parameters.size() < kMaxParameters) {
        if (!scanner.eat(';')) {
            scanner.skip_to(';');
            continue;
        }
        Parameter parameter;
        parameter.name = scanner.token();
        if (parameter.name.empty() || !scanner.eat('=')) continue;
        parameter.value = scanner.value();
        parameters.push_back(std::move(parameter));
    }
    return parameters;
}

}  // namespace

bool ContentType::is(std::string_view wanted) const { return iequals(type, wanted); }

bool ContentType::is(std::string_view wanted, std::string_view wanted_subtype) const {
    return iequals(type, wanted) && iequals(subtype, wanted_subtype);
}

const std::string* ContentType::parameter(std::string_view name) const {
    for (const auto& parameter : parameters) {
        if (iequals(parameter.name, name)) return &parameter.value;
    }
    return nullptr;
}

std::optional<ContentType> parse_content_type(std::string_view body) {
    Scanner scanner(body);
    ContentType type;
    type.type = scanner.token();
    if (type.type.empty() || !scanner.eat('/')) return std::nullopt;
    type.subtype = scanner.token();
    if (type.subtype.empty()) return std::nullopt;
    type.parameters = parse_parameters(scanner);
    return type;
}

std::optional<Disposition> parse_disposition(std::string_view body) {
    Scanner scanner(body);
    Disposition disposition;
    disposition.kind = scanner.token();
    if (disposition.kind.empty()) return std::nullopt;
    disposition.parameters = parse_parameters(scanner);
    return disposition;
}

std::vector<std::string> parse_word_list(std::string_view body) {
    Scanner scanner(body);
    std::vector<std::string> words;
    while (!scanner.done() && words.size() < kMaxParameters) {
        if (std::string word = scanner.token(); !word.empty()) words.push_back(std::move(word));
        if (!scanner.eat(',')) scanner.skip_to(',');
    }
    return words;
}

std::string parse_first_word(std::string_view body) { return Scanner(body).token(); }

}  // namespace postern::mail
