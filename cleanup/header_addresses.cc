#include "cleanup/header_addresses.h"

#include <algorithm>
#include <array>

#include "lib/base/strings.h"

namespace postern::cleanup {
namespace {

constexpr std::array<std::string_view, 14> kAddressFields = {"from",
                                                             "sender",
                                                             "reply-to",
                                                             "to",
                                                             "cc",
                                                             "bcc",
                                                             "errors-to",
                                                             "resent-from",
                                                             "resent-sender",
                                                             "resent-reply-to",
                                                             "resent-to",
                                                             "resent-cc",
                                                             "resent-bcc",
                                                             "return-receipt-to"};

// What must be added behind an address: "", "@origin" or ".domain".
std::string missing_part(std::string_view address, const Options& options) {
    const std::size_t at = address.rfind('@');
    if (at == std::string_view::npos)
        return options.append_at_myorigin ? "@" + options.myorigin : "";
    const std::string_view domain = address.substr(at + 1);
    const bool bare = !domain.empty() && domain.find_first_of(".[") == std::string_view::npos;
    if (bare && options.append_dot_mydomain) return "." + options.mydomain;
    return "";
}

// Walks over a list of mailboxes and notes where each bare address ends. RFC 5322 3.4, tolerantly:
// inside <> everything counts, outside only a mailbox without <>.
class Completer {
  public:
    Completer(std::string_view body, const Options& options) : body_(body), options_(options) {}

    std::string run() {
        while (at_ < body_.size()) step();
        end_of_mailbox();
        out_ += body_.substr(copied_);
        return std::move(out_);
    }

  private:
    void step() {
        switch (const char c = body_[at_]) {
            case '"': word(skip_quoted('"')); return;
            case '(': skip_comment(); return;
            case '<': angle(); return;
            case ',':
            case ';': end_of_mailbox(); break;
            case ':': reset(); break;  // what came before was a group's name
            case '[': word(skip_quoted(']')); return;
            default:
                if (!is_space(c)) return word(skip_atom());
                spaced_ = !address_.empty();
        }
        ++at_;
    }
    // A word outside <>: part of the address if it touches the last one by '@' or '.', else a name.
    void word(std::string_view text) {
        if (spaced_ && !address_.ends_with('@') && !address_.ends_with('.') &&
            !text.starts_with('@') && !text.starts_with('.'))
            several_words_ = true;
        address_ += text;
        address_end_ = at_;
        spaced_ = false;
    }
    void angle() {
        const std::size_t close = body_.find('>', at_);
        const std::size_t end = close == std::string_view::npos ? body_.size() : close;
        const std::string_view inner = trim(body_.substr(at_ + 1, end - at_ - 1));
        if (!inner.empty())
            add(missing_part(inner, options_),
                static_cast<std::size_t>(inner.data() + inner.size() - body_.data()));
        at_ = std::min(body_.size(), end + 1);
        reset();
        had_angle_ = true;
    }
    void end_of_mailbox() {
        if (!address_.empty() && !several_words_ && !had_angle_)
            add(missing_part(address_, options_), address_end_);
        reset();
        had_angle_ = false;
    }
    void add(const std::string& text, std::size_t where) {
        if (text.empty() || where < copied_) return;
        out_ += body_.substr(copied_, where - copied_);
        out_ += text;
        copied_ = where;
    }
    void reset() {
        address_.clear();
        several_words_ = spaced_ = false;
    }
    std::string_view skip_atom() {
        const std::size_t begin = at_;
        while (at_ < body_.size() && !is_space(body_[at_]) &&
               std::string_view("\"(<,;:[").find(body_[at_]) == std::string_view::npos)
            ++at_;
        return body_.substr(begin, at_ - begin);
    }
    std::string_view skip_quoted(char close) {
        const std::size_t begin = at_++;
        while (at_ < body_.size() && body_[at_] != close) at_ += body_[at_] == '\\' ? 2 : 1;
        at_ = std::min(body_.size(), at_ + 1);
        return body_.substr(begin, at_ - begin);
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
    const Options& options_;
    std::string out_;
    std::size_t at_ = 0, copied_ = 0;
    std::string address_;  // the words of the mailbox so far, outside <>
    std::size_t address_end_ = 0;
    bool several_words_ = false, spaced_ = false, had_angle_ = false;
};

}  // namespace

bool has_addresses(std::string_view lower_name) {
    return std::find(kAddressFields.begin(), kAddressFields.end(), lower_name) !=
           kAddressFields.end();
}

std::string complete_addresses(std::string_view body, const Options& options) {
    // The line end is not part of the list: an open quote must not carry an address behind it.
    const std::string_view list = trim_right(body);
    return Completer(list, options).run() + std::string(body.substr(list.size()));
}

std::string complete_address(std::string_view address, const Options& options) {
    if (address.empty()) return {};
    return std::string(address) + missing_part(address, options);
}

bool is_complete(std::string_view address, const Options& options) {
    if (address.empty()) return true;
    if (!missing_part(address, options).empty()) return false;
    const std::size_t at = address.rfind('@');
    if (at == std::string_view::npos || at == 0 || at + 1 == address.size()) return false;
    // user%domain, host!user, "a@b"@c, @route:...: rewrite knows.
    return address.substr(0, at).find_first_of("%!@\"") == std::string_view::npos;
}

}  // namespace postern::cleanup
