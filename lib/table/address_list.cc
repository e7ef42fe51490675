#include "lib/table/address_list.h"

#include "lib/base/strings.h"

namespace postern::table {
namespace {

// Is the whole text one quoted string?
bool quoted_whole(std::string_view text) {
    if (text.size() < 2 || text.front() != '"') return false;
    for (std::size_t at = 1; at < text.size(); ++at) {
        if (text[at] == '\\') {
            ++at;
        } else if (text[at] == '"') {
            return at == text.size() - 1;
        }
    }
    return false;
}

// One pass over the text; part_ collects the address under way.
class Splitter {
  public:
    std::vector<std::string> run(std::string_view text) {
        for (std::size_t at = 0; at < text.size(); ++at) {
            const char c = text[at];
            if (c == '\\' && at + 1 < text.size() && comment_ == 0) {
                part_ += c;
                part_ += text[++at];
            } else if (quoted_) {
                part_ += c;
                if (c == '"') quoted_ = false;
            } else if (c == '(' || comment_ > 0) {
                comment_ += c == '(' ? 1 : c == ')' ? -1 : 0;
            } else {
                plain(c);
            }
        }
        finish();
        return std::move(parts_);
    }

  private:
    void plain(char c) {
        if (c == '"') quoted_ = true;
        if (c == ',') {
            finish();
        } else if (c == '<') {
            part_.clear();  // what was before it is a display name
        } else if (c == '>') {
            route_ = std::move(part_);
            have_route_ = true;
            part_.clear();
        } else {
            part_ += c;
        }
    }

    void finish() {
        std::string_view part = trim(have_route_ ? route_ : part_);
        std::string address;
        if (quoted_whole(part)) {
            address = unquoted(part.substr(1, part.size() - 2));
        } else if (!part.empty() && (part.front() == '|' || part.front() == '/')) {
            address = part;
        } else {
            address = squeezed(part);
        }
        if (!address.empty()) parts_.push_back(std::move(address));
        part_.clear();
        route_.clear();
        have_route_ = false;
    }

    static std::string unquoted(std::string_view text) {
        std::string out;
        for (std::size_t at = 0; at < text.size(); ++at) {
            if (text[at] == '\\' && at + 1 < text.size()) ++at;
            out += text[at];
        }
        return out;
    }

    static std::string squeezed(std::string_view text) {
        std::string out;
        bool quoted = false;
        for (const char c : text) {
            if (c == '"') quoted = !quoted;
            if (quoted || !is_space(c)) out += c;
        }
        return out;
    }

    std::vector<std::string> parts_;
    std::string part_, route_;
    bool quoted_ = false, have_route_ = false;
    int comment_ = 0;
};

}  // namespace

std::vector<std::string> split_addresses(std::string_view text) { return Splitter().run(text); }

std::string unquote_local(std::string_view address) {
    const auto at = address.rfind('@');
    const auto local = address.substr(0, at);
    std::string out;
    for (std::size_t i = 0; i < local.size(); ++i) {
        if (local[i] == '"') continue;
        if (local[i] == '\\' && i + 1 < local.size()) ++i;
        out += local[i];
    }
    if (at != std::string_view::npos) out += address.substr(at);
    return out;
}

}  // namespace postern::table
