#include "lib/mail/address_list.h"

#include <utility>

#include "lib/base/strings.h"

namespace postern::mail {
namespace {

struct Token {
    enum class Kind : unsigned char { word, special, end };
    Kind kind = Kind::end;
    char special = 0;
    bool space_before = false;
    std::string text;
};

// Splits into words (atoms, quoted strings, domain literals) and specials; keeps the last comment,
// which is the display name in the old form "user@host (Name)".
class Lexer {
  public:
    explicit Lexer(std::string_view text) : text_(text) {}

    Token next() {
        Token token;
        token.space_before = skip_blanks();
        if (at_ == text_.size()) return token;
        const char c = text_[at_];
        if (c == '"' || c == '[') {
            token.kind = Token::Kind::word;
            token.text = c == '"' ? quoted('"') : '[' + quoted(']') + ']';
        } else if (is_special(c)) {
            token.kind = Token::Kind::special;
            token.special = c;
            ++at_;
        } else {
            token.kind = Token::Kind::word;
            const std::size_t start = at_;
            while (at_ < text_.size() && !is_space(text_[at_]) && !ends_atom(text_[at_])) ++at_;
            token.text = text_.substr(start, at_ - start);
        }
        return token;
    }

    std::string take_comment() { return std::exchange(comment_, {}); }

  private:
    static bool is_special(char c) {
        return std::string_view("<>@,;:").find(c) != std::string_view::npos;
    }
    static bool ends_atom(char c) { return is_special(c) || c == '"' || c == '('; }

    bool skip_blanks() {
        const std::size_t start = at_;
        while (at_ < text_.size()) {
            if (text_[at_] == '(') {
                read_comment();
            } else if (is_space(text_[at_])) {
                ++at_;
            } else {
                break;
            }
        }
        return at_ > start;
    }

    void read_comment() {
        int depth = 0;
        comment_.clear();
        for (; at_ < text_.size(); ++at_) {
            char c = text_[at_];
            if (c == ')' && --depth == 0) {
                ++at_;
                return;
            }
            if (c == '(' && depth++ == 0) continue;
            if (c == '\\' && at_ + 1 < text_.size()) c = text_[++at_];
            if (c != '\r' && c != '\n') comment_ += c;
        }
    }

    std::string quoted(char close) {
        std::string out;
        for (++at_; at_ < text_.size(); ++at_) {
            char c = text_[at_];
            if (c == close) {
                ++at_;
                break;
            }
            if (c == '\\' && at_ + 1 < text_.size()) c = text_[++at_];
            if (c != '\r' && c != '\n') out += c;
        }
        return out;
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::string comment_;
};

// Words of a phrase are joined by one space where white space stood between them.
void append_word(std::string& phrase, const Token& token) {
    if (!phrase.empty() && token.space_before) phrase += ' ';
    phrase += token.text;
}

class ListParser {
  public:
    explicit ListParser(std::string_view text) : lexer_(text) { advance(); }

    std::vector<ListedAddress> run() {
        while (token_.kind != Token::Kind::end && list_.size() < kMaxListedAddresses) entry();
        if (in_group_) end_group();
        return std::move(list_);
    }

  private:
    void advance() { token_ = lexer_.next(); }
    bool at(char special) const {
        return token_.kind == Token::Kind::special && token_.special == special;
    }
    bool at_word() const { return token_.kind == Token::Kind::word; }

    void end_group() {
        in_group_ = false;
        ListedAddress end;
        end.kind = ListedAddress::Kind::group_end;
        list_.push_back(std::move(end));
    }

    void start_group(std::string name) {
        if (in_group_) end_group();  // RFC 5322 3.4: groups do not nest
        in_group_ = true;
        ListedAddress start;
        start.kind = ListedAddress::Kind::group_start;
        start.local = std::move(name);
        list_.push_back(std::move(start));
    }

    void entry() {
        if (at(',')) {  // RFC 5322 4.4: empty list members
            advance();
            return;
        }
        if (at(';')) {
            if (in_group_) end_group();
            advance();
            return;
        }
        bool any = at_word();
        std::string phrase = words();
        if (at(':')) {
            advance();
            start_group(std::move(phrase));
        } else if (at('<')) {
            angle_address(std::move(phrase), any);
        } else if (at('@')) {
            advance();
            ListedAddress address;
            address.local = without_spaces(phrase);
            address.domain = domain();
            finish(std::move(address), true);
        } else if (any) {
            ListedAddress address;
            address.local = std::move(phrase);
            finish(std::move(address), true);
        } else {
            advance();  // a stray '>'
        }
    }

    // name-addr, RFC 5322 3.4, with the obsolete route of 4.4
    void angle_address(std::string phrase, bool has_name) {
        ListedAddress address;
        address.has_name = has_name;
        address.name = std::move(phrase);
        advance();
        while (at('@') || at(',')) {
            const bool route = at('@');
            advance();
            if (!route) continue;
            if (!address.route.empty()) address.route += ',';
            address.route += '@' + domain();
        }
        if (at(':')) advance();
        address.local = without_spaces(words());
        if (at('@')) {
            advance();
            address.domain = domain();
        }
        while (token_.kind != Token::Kind::end && !at('>')) advance();
        advance();
        finish(std::move(address), false);
    }

    void finish(ListedAddress address, bool comment_is_name) {
        // What follows up to the separator does not belong to an address; a comment may be its
        // name.
        while (token_.kind != Token::Kind::end && !at(',') && !at(';')) advance();
        std::string comment = lexer_.take_comment();
        if (comment_is_name && !comment.empty()) {
            address.has_name = true;
            address.name = std::move(comment);
        }
        list_.push_back(std::move(address));
    }

    std::string words() {
        std::string phrase;
        while (at_word()) {
            append_word(phrase, token_);
            advance();
        }
        return phrase;
    }

    // RFC 5322 4.4: white space around the dots of an obsolete local part or domain.
    static std::string without_spaces(std::string_view phrase) {
        std::string out;
        for (std::size_t i = 0; i < phrase.size(); ++i) {
            const bool near_dot =
                (i > 0 && phrase[i - 1] == '.') || (i + 1 < phrase.size() && phrase[i + 1] == '.');
            if (phrase[i] != ' ' || !near_dot) out += phrase[i];
        }
        return out;
    }

    std::string domain() { return without_spaces(words()); }

    Lexer lexer_;
    Token token_;
    bool in_group_ = false;
    std::vector<ListedAddress> list_;
};

}  // namespace

std::vector<ListedAddress> parse_address_list(std::string_view text) {
    return ListParser(text).run();
}

}  // namespace postern::mail
