#include "lib/mail/encoded_word.h"

#include <algorithm>
#include <optional>

#include "lib/base/strings.h"
#include "lib/mail/charset.h"
#include "lib/mail/header.h"
#include "lib/mail/transfer_encoding.h"

namespace postern::mail {
namespace {

constexpr std::size_t kMaxEncodedWord = 75;  // RFC 2047 2
constexpr std::size_t kMaxNameOfCharset = 40;

// RFC 2047 5 (3): what stands for itself in a word of a phrase.
bool is_plain_in_word(char c) {
    return is_alnum(c) || c == '!' || c == '*' || c == '+' || c == '-' || c == '/';
}

std::string q_form(std::string_view bytes) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    std::string out;
    for (const char c : bytes) {
        const auto value = static_cast<unsigned char>(c);
        if (is_plain_in_word(c))
            out += c;
        else if (c == ' ')
            out += '_';
        else
            out += {'=', kDigits[value >> 4], kDigits[value & 15]};
    }
    return out;
}

// The first character of UTF-8, or a byte of anything else.
std::string_view first_character(std::string_view text) {
    std::size_t size = 1;
    const auto continues = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; };
    if (static_cast<unsigned char>(text.front()) >= 0xC0)
        while (size < text.size() && size < 4 && continues(text[size])) ++size;
    return text.substr(0, size);
}

// RFC 2047 2 allows 75 characters; longer ones exist, and a bound keeps the search linear.
constexpr std::size_t kMaxWordSize = 2000;

struct Word {
    std::string_view charset;
    std::string bytes;
    std::size_t length = 0;  // of the whole encoded word
};

// "=?charset*language?B?text?=" at the start of text.
std::optional<Word> parse_word(std::string_view text) {
    text = text.substr(0, kMaxWordSize);
    const auto charset_end = text.find('?', 2);
    if (charset_end == std::string_view::npos || charset_end + 3 >= text.size())
        return std::nullopt;
    if (text[charset_end + 2] != '?') return std::nullopt;
    const auto start = charset_end + 3;
    const auto end = text.find("?=", start);
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view encoded = text.substr(start, end - start);
    if (encoded.find('\n') != std::string_view::npos) return std::nullopt;
    Word word;
    word.charset = text.substr(2, charset_end - 2);
    word.charset = word.charset.substr(0, word.charset.find('*'));  // RFC 2231 5
    word.length = end + 2;
    switch (to_upper(text[charset_end + 1])) {
        case 'B': word.bytes = decode_base64_loosely(encoded); break;
        case 'Q': word.bytes = decode_q(encoded); break;
        default: return std::nullopt;
    }
    return word;
}

bool is_blank(std::string_view text) { return trim(text).empty(); }

// Collects words of one charset before converting: some mailers cut a character in two.
class Decoder {
  public:
    std::string run(std::string_view text) {
        std::size_t plain_start = 0;
        std::size_t at = text.find("=?");
        while (at != std::string_view::npos) {
            auto word = parse_word(text.substr(at));
            if (!word || !is_known_charset(word->charset)) {
                at = text.find("=?", at + 2);
                continue;
            }
            const std::string_view between = text.substr(plain_start, at - plain_start);
            // RFC 2047 6.2: white space between adjacent encoded words is not displayed
            const bool adjacent = pending_ && is_blank(between);
            if (!adjacent || !iequals(charset_, word->charset)) flush();
            if (!adjacent) out_ += guess_utf8(between);
            charset_ = word->charset;
            bytes_ += word->bytes;
            pending_ = true;
            plain_start = at + word->length;
            at = text.find("=?", plain_start);
        }
        flush();
        out_ += guess_utf8(text.substr(plain_start));
        return std::move(out_);
    }

  private:
    void flush() {
        if (auto text = to_utf8(charset_, bytes_); pending_ && text) out_ += *text;
        bytes_.clear();
        pending_ = false;
    }

    std::string out_;
    std::string bytes_;
    std::string_view charset_;
    bool pending_ = false;
};

}  // namespace

std::string decode_words(std::string_view text) { return Decoder().run(unfold(text)); }

bool is_charset_name(std::string_view name) {
    constexpr std::string_view kNot = "()<>@,;:\"/[]?.= \\*";
    return !name.empty() && name.size() <= kMaxNameOfCharset &&
           std::all_of(name.begin(), name.end(), [&](char c) {
               return c > ' ' && c < 127 && kNot.find(c) == std::string_view::npos;
           });
}

std::string encode_words(std::string_view text, std::string_view charset) {
    const std::string begin = cat({"=?", charset, "?Q?"});
    std::string out, word = begin;
    while (!text.empty()) {
        const std::string_view character = first_character(text);
        text.remove_prefix(character.size());
        const std::string piece = q_form(character);
        if (word.size() + piece.size() + 2 > kMaxEncodedWord && word.size() > begin.size()) {
            out += word + "?=\r\n ";
            word = begin;
        }
        word += piece;
    }
    return out + word + "?=";
}

}  // namespace postern::mail
