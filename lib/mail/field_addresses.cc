#include "lib/mail/field_addresses.h"

#include <algorithm>
#include <utility>

#include "lib/base/strings.h"

namespace postern::mail {
namespace {

constexpr std::pair<std::string_view, AddressField> kFields[] = {
    {"apparently-to", AddressField::recipient},
    {"bcc", AddressField::recipient},
    {"cc", AddressField::recipient},
    {"disposition-notification-to", AddressField::sender},
    {"errors-to", AddressField::sender},
    {"from", AddressField::sender},
    {"mail-followup-to", AddressField::sender},
    {"reply-to", AddressField::sender},
    {"resent-bcc", AddressField::recipient},
    {"resent-cc", AddressField::recipient},
    {"resent-from", AddressField::sender},
    {"resent-reply-to", AddressField::recipient},
    {"resent-sender", AddressField::sender},
    {"resent-to", AddressField::recipient},
    {"return-path", AddressField::sender},
    {"return-receipt-to", AddressField::sender},
    {"sender", AddressField::sender},
    {"to", AddressField::recipient},
};

constexpr std::string_view kSpecials = "()<>@,;:\".[]";

struct FieldToken {
    enum class Kind : unsigned char { word, quoted, literal, comment, sign, end };
    Kind kind = Kind::end;
    std::size_t begin = 0, end = 0;
    char sign = 0;  // of Kind::sign

    bool is_sign(char c) const { return kind == Kind::sign && sign == c; }
    bool joins() const { return is_sign('@') || is_sign('.'); }
};

class FieldScanner {
  public:
    explicit FieldScanner(std::string_view body) : body_(body) {}

    FieldToken next() {
        using Kind = FieldToken::Kind;
        while (at_ < body_.size() && is_space(body_[at_])) ++at_;
        if (at_ == body_.size()) return {Kind::end, at_, at_};
        const std::size_t begin = at_;
        const char c = body_[at_];
        if (c == '"') {
            return {skip_to('"') ? Kind::quoted : Kind::comment, begin, at_};
        }
        if (c == '[') {
            return {skip_to(']') ? Kind::literal : Kind::comment, begin, at_};
        }
        if (c == '(') {
            skip_comment();
            return {Kind::comment, begin, at_};
        }
        if (kSpecials.find(c) != std::string_view::npos) return {Kind::sign, begin, ++at_, c};
        while (at_ < body_.size() && !is_space(body_[at_]) &&
               kSpecials.find(body_[at_]) == std::string_view::npos)
            at_ = std::min(body_.size(), at_ + (body_[at_] == '\\' ? 2 : 1));
        return {Kind::word, begin, at_};
    }

  private:
    // What is never closed is no part of an address.
    bool skip_to(char close) {
        ++at_;
        while (at_ < body_.size() && body_[at_] != close) at_ += body_[at_] == '\\' ? 2 : 1;
        const bool closed = at_ < body_.size();
        at_ = std::min(body_.size(), at_ + 1);
        return closed;
    }
    void skip_comment() {
        int depth = 0;
        for (; at_ < body_.size(); ++at_) {
            if (body_[at_] == '\\') {
                ++at_;
            } else if (body_[at_] == '(') {
                ++depth;
            } else if (body_[at_] == ')' && --depth == 0) {
                break;
            }
        }
        at_ = std::min(body_.size(), at_ + 1);
    }

    std::string_view body_;
    std::size_t at_ = 0;
};

// Groups tokens into addresses. What is outside <> waits until it is known to be an address: a
// display name ends with '<', a group's name with ':'.
class FieldParser {
  public:
    FieldParser(std::string_view body, std::size_t limit) : body_(body), left_(limit) {}

    std::vector<FieldAddress> run() {
        FieldScanner scanner(body_);
        for (FieldToken t = scanner.next(); t.kind != FieldToken::Kind::end; t = scanner.next()) {
            if (left_-- == 0) return std::move(found_);  // the address under way stays as it is
            take(t);
        }
        if (in_angle_) add(0, waiting_.size());
        if (!in_angle_) flush();
        return std::move(found_);
    }

  private:
    void take(const FieldToken& t) {
        if (in_angle_) return inside(t);
        if (t.is_sign('<')) {
            // "a@b <c@d>": the words before are a name.
            waiting_.clear();
            in_angle_ = true;
        } else if (t.is_sign(',') || t.is_sign(';')) {
            flush();
            separated_ = true;
        } else if (t.is_sign(':')) {
            waiting_.clear();
            separated_ = true;
        } else if (!t.is_sign('>')) {
            waiting_.push_back(t);
        }
    }
    void inside(const FieldToken& t) {
        if (!t.is_sign('>')) return waiting_.push_back(t);
        in_angle_ = false;
        // Whatever is in there is one address, white space or not.
        add(0, waiting_.size());
        waiting_.clear();
        separated_ = false;
        end_ = t.end;
    }
    // Words that nothing joins are addresses of their own.
    void flush() {
        std::size_t first = 0;
        bool joined = true;
        for (std::size_t i = 0; i < waiting_.size(); ++i) {
            const FieldToken& t = waiting_[i];
            if (t.kind == FieldToken::Kind::comment) continue;
            if (!joined && !t.joins()) {
                add(first, i);
                first = i;
            }
            joined = t.joins();
        }
        add(first, waiting_.size());
        waiting_.clear();
    }
    void add(std::size_t first, std::size_t last) {
        using Kind = FieldToken::Kind;
        while (first < last && waiting_[first].kind == Kind::comment) ++first;
        while (first < last && waiting_[last - 1].kind == Kind::comment) --last;
        if (first == last) return;  // <>, or only comments
        FieldAddress address;
        address.begin = waiting_[first].begin;
        address.end = waiting_[last - 1].end;
        for (std::size_t i = first; i < last; ++i) {
            const FieldToken& t = waiting_[i];
            const std::string_view text = body_.substr(t.begin, t.end - t.begin);
            if (t.kind == Kind::comment) {
                address.comments += cat({" ", text});
            } else {
                address.text += text;
                address.has_domain = address.has_domain || t.is_sign('@');
            }
        }
        if (!separated_ && !found_.empty()) found_.back().comma = end_;
        end_ = address.end;
        found_.push_back(std::move(address));
        separated_ = false;
    }

    std::string_view body_;
    std::size_t left_;
    std::vector<FieldToken> waiting_;
    std::vector<FieldAddress> found_;
    bool in_angle_ = false;
    bool separated_ = true;
    std::size_t end_ = 0;  // of the last address, with its '>'
};

bool is_plain_local(std::string_view local) {
    constexpr std::string_view kMarks = ".!#$%&'*+-/=?^_`{|}~";
    return !local.empty() && local.front() != '.' && local.back() != '.' &&
           std::all_of(local.begin(), local.end(), [&](char c) {
               return is_alnum(c) || static_cast<unsigned char>(c) >= 128 ||
                      kMarks.find(c) != std::string_view::npos;
           });
}

}  // namespace

AddressField address_field(std::string_view lower_name) {
    // Most fields are none of these: two looks tell.
    if (lower_name.size() < 2 || lower_name.size() > 27) return AddressField::none;
    for (const auto& [name, kind] : kFields)
        if (name == lower_name) return kind;
    return AddressField::none;
}

std::vector<FieldAddress> field_addresses(std::string_view body, std::size_t token_limit) {
    return FieldParser(body, token_limit).run();
}

std::string rewrite_field(std::string_view body, std::size_t token_limit,
                          const AddressRewrite& rewrite) {
    auto all = field_addresses(body, token_limit);
    bool changed = false;
    for (FieldAddress& address : all) {
        std::string text = rewrite(address);
        address.changed = text != address.text;
        changed = changed || address.changed;
        address.text = std::move(text);
    }
    if (!changed) return std::string(body);
    std::string out;
    std::size_t copied = 0;
    for (const FieldAddress& address : all) {
        if (address.changed) {
            out += body.substr(copied, address.begin - copied);
            out += cat({address.text, address.comments});
            copied = address.end;
        }
        if (address.comma == 0) continue;
        out += body.substr(copied, address.comma - copied);
        out += ',';
        copied = address.comma;
    }
    out += body.substr(copied);
    return out;
}

// RFC 5322 3.2.1 and 3.2.4.
std::string unquoted_address(std::string_view text) {
    std::string out;
    bool quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\' && i + 1 < text.size()) {
            out += text[++i];
        } else if (text[i] == '"') {
            quoted = !quoted;
        } else if (quoted || !is_space(text[i])) {
            out += text[i];
        }
    }
    return out;
}

std::string quoted_address(std::string_view address) {
    const std::size_t at = address.rfind('@');
    const std::string_view local = address.substr(0, at);
    if (is_plain_local(local)) return std::string(address);
    std::string out = "\"";
    for (const char c : local) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    out += '"';
    if (at != std::string_view::npos) out += address.substr(at);
    return out;
}

}  // namespace postern::mail
