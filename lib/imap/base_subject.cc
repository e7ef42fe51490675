#include "lib/imap/base_subject.h"

#include "lib/base/strings.h"
#include "lib/mail/charset.h"
#include "lib/mail/encoded_word.h"

namespace postern::imap {
namespace {

// Step 1: blanks become single spaces.
std::string with_single_spaces(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (!is_space(c))
            out += c;
        else if (!out.ends_with(' '))
            out += ' ';
    }
    return out;
}

// How long a "[...] " at the front is, or 0.
std::size_t blob_size(std::string_view text) {
    if (!text.starts_with('[')) return 0;
    const auto end = text.find_first_of("[]", 1);
    if (end == std::string_view::npos || text[end] != ']') return 0;
    std::size_t size = end + 1;
    while (size < text.size() && text[size] == ' ') ++size;
    return size;
}

// How long a "re:", "fw [x]:" or "fwd:" at the front is, or 0.
std::size_t reply_size(std::string_view text) {
    std::size_t size = 0;
    if (istarts_with(text, "re"))
        size = 2;
    else if (istarts_with(text, "fwd"))
        size = 3;
    else if (istarts_with(text, "fw"))
        size = 2;
    if (size == 0) return 0;
    while (size < text.size() && text[size] == ' ') ++size;
    size += blob_size(text.substr(size));
    return size < text.size() && text[size] == ':' ? size + 1 : 0;
}

class Stripper {
  public:
    explicit Stripper(std::string_view text) : rest_(text) {}

    BaseSubject run() {
        do {
            strip_end();
            while (strip_front()) {
            }
        } while (strip_forward_brackets());
        return {std::string(rest_), is_reply_};
    }

  private:
    // Step 2: subj-trailer
    void strip_end() {
        for (;;) {
            if (rest_.ends_with(' ')) {
                rest_.remove_suffix(1);
            } else if (rest_.size() >= 5 && iequals(rest_.substr(rest_.size() - 5), "(fwd)")) {
                rest_.remove_suffix(5);
                is_reply_ = true;
            } else {
                return;
            }
        }
    }

    // Steps 3 to 5: subj-leader, subj-blob
    bool strip_front() {
        if (rest_.starts_with(' ')) {
            rest_.remove_prefix(1);
            return true;
        }
        std::size_t blobs = 0;
        while (const std::size_t size = blob_size(rest_.substr(blobs))) blobs += size;
        if (const std::size_t size = reply_size(rest_.substr(blobs))) {
            rest_.remove_prefix(blobs + size);
            is_reply_ = true;
            return true;
        }
        const std::size_t blob = blob_size(rest_);
        if (blob == 0 || blob == rest_.size()) return false;  // a subject is left
        rest_.remove_prefix(blob);
        return true;
    }

    // Step 6
    bool strip_forward_brackets() {
        if (!istarts_with(rest_, "[fwd:") || !rest_.ends_with(']')) return false;
        rest_.remove_prefix(5);
        rest_.remove_suffix(1);
        is_reply_ = true;
        return true;
    }

    std::string_view rest_;
    bool is_reply_ = false;
};

}  // namespace

BaseSubject base_subject(std::string_view subject) {
    const std::string text = with_single_spaces(mail::decode_words(subject));
    return Stripper(text).run();
}

std::string collated(std::string_view utf8) { return to_upper(mail::fold_for_search(utf8)); }

}  // namespace postern::imap
