#include "commands/message_keys.h"

#include "lib/mail/header.h"
#include "lib/mail/mime.h"

namespace postern::commands {
namespace {

class KeyList {
  public:
    KeyList(std::string_view message, MessageKeys wanted) : message_(message), wanted_(wanted) {}

    void add(const mail::MimePart& part) {
        add_text(part.header_begin);
        add_header(part.header(message_));
        done_ = part.body_begin;
        if (!wanted_.mime) return;
        for (const auto& child : part.children) add(child);
    }
    std::vector<std::string> finish() && {
        add_text(message_.size());
        return std::move(keys_);
    }

  private:
    void add_text(std::size_t end) {
        if (end > done_) add_lines(message_.substr(done_, end - done_));
        done_ = end;
    }
    void add_lines(std::string_view text) {
        while (!text.empty()) {
            const std::string_view line = text.substr(0, mail::line_length(text));
            text.remove_prefix(line.size());
            if (wanted_.body) keys_.emplace_back(mail::without_line_end(line));
        }
    }
    void add_header(std::string_view header) {
        std::size_t fields = 0;
        mail::HeaderCursor cursor(header);
        for (auto field = cursor.next(); field && !field->name.empty(); field = cursor.next()) {
            fields += field->raw.size();
            if (wanted_.header) keys_.emplace_back(mail::without_line_end(field->raw));
        }
        add_lines(header.substr(fields));
    }

    std::string_view message_;
    MessageKeys wanted_;
    std::size_t done_ = 0;
    std::vector<std::string> keys_;
};

}  // namespace

std::vector<std::string> message_keys(std::string_view message, MessageKeys wanted) {
    KeyList list(message, wanted);
    list.add(mail::parse_mime(message));
    return std::move(list).finish();
}

}  // namespace postern::commands
