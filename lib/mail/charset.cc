#include "lib/mail/charset.h"

#include <iconv.h>

#include <array>
#include <cerrno>
#include <memory>

#include "lib/base/strings.h"
#include "lib/base/unicode.h"

#include "lib/mail/casemap.h"

namespace postern::mail {
namespace {

constexpr char32_t kReplacement = 0xFFFD;
constexpr std::size_t kMaxCharsetName = 40;

// windows-1252 0x80..0x9F; 0 where undefined.
constexpr std::array<char16_t, 32> kWindows1252 = {
    0x20AC, 0,      0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0,      0x017D, 0,      0,      0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0,      0x017E, 0x0178};

enum class Builtin : unsigned char { none, ascii, utf8, latin1 };

Builtin builtin(std::string_view charset) {
    for (auto name : {"us-ascii", "ascii", "ansi_x3.4-1968", "646", "iso646-us"}) {
        if (iequals(charset, name)) return Builtin::ascii;
    }
    for (auto name : {"utf-8", "utf8"}) {
        if (iequals(charset, name)) return Builtin::utf8;
    }
    // As the WHATWG has it: who declares ISO-8859-1 means windows-1252.
    for (auto name :
         {"iso-8859-1", "iso8859-1", "iso_8859-1", "latin1", "windows-1252", "cp1252"}) {
        if (iequals(charset, name)) return Builtin::latin1;
    }
    return Builtin::none;
}

std::string from_latin1(std::string_view bytes) {
    std::string out;
    out.reserve(bytes.size() + bytes.size() / 4);
    for (char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        char32_t code = byte;
        if (byte >= 0x80 && byte < 0xA0) code = kWindows1252[byte - 0x80u];
        append_utf8(out, code == 0 && byte != 0 ? kReplacement : code);
    }
    return out;
}

std::string from_ascii(std::string_view bytes) {
    std::string out;
    out.reserve(bytes.size());
    for (char c : bytes) {
        if (static_cast<unsigned char>(c) < 0x80) {
            out += c;
        } else {
            append_utf8(out, kReplacement);
        }
    }
    return out;
}

std::string repaired_utf8(std::string_view text) {
    if (is_utf8(text)) return std::string(text);
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) append_utf8(out, take_utf8(text));
    return out;
}

struct Close {
    void operator()(void* handle) const { iconv_close(handle); }
};
using Handle = std::unique_ptr<void, Close>;

// The name goes to the C library, which reads suffixes like "//IGNORE" and paths out of it.
bool is_plain_name(std::string_view name) {
    for (char c : name) {
        if (!is_alnum(c) && c != '-' && c != '_' && c != '.' && c != ':' && c != '+') return false;
    }
    return !name.empty() && name.size() <= kMaxCharsetName && is_alnum(name.front());
}

Handle open_iconv(std::string_view charset) {
    if (!is_plain_name(charset)) return nullptr;
    const iconv_t handle = iconv_open("UTF-8", std::string(charset).c_str());
    if (reinterpret_cast<std::intptr_t>(handle) == -1) return nullptr;
    return Handle(handle);
}

std::string by_iconv(void* handle, std::string_view bytes) {
    std::string input(bytes);
    std::string out;
    std::array<char, 4096> chunk{};
    char* from = input.data();
    std::size_t left = input.size();
    while (left > 0) {
        char* to = chunk.data();
        std::size_t room = chunk.size();
        const std::size_t status = iconv(handle, &from, &left, &to, &room);
        const int reason = errno;
        out.append(chunk.data(), chunk.size() - room);
        if (status != static_cast<std::size_t>(-1) || reason == E2BIG) continue;
        append_utf8(out, kReplacement);
        if (reason == EINVAL || left == 0) break;  // cut off in the middle of a character
        ++from;
        --left;
    }
    return out;
}

// Where ICU is missing: simple case folding of the alphabets in which upper and lower case differ
// by a rule.
char32_t fold(char32_t c) {
    if (c < 0x80) return static_cast<char32_t>(to_lower(static_cast<char>(c)));
    if ((c >= 0xC0 && c <= 0xDE && c != 0xD7) || (c >= 0x391 && c <= 0x3A9 && c != 0x3A2))
        return c + 32;
    if (c >= 0x410 && c <= 0x42F) return c + 32;
    if (c >= 0x400 && c <= 0x40F) return c + 80;
    if (c >= 0x531 && c <= 0x556) return c + 48;
    if (c == 0x178) return 0xFF;
    if (c == 0x130) return 'i';
    if (c == 0x3C2) return 0x3C3;
    if (c == 0xB5) return 0x3BC;
    const bool odd_is_upper = (c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17E);
    if (odd_is_upper) return (c & 1) != 0 ? c + 1 : c;
    const bool even_is_upper = (c >= 0x100 && c <= 0x137) || (c >= 0x14A && c <= 0x177) ||
                               (c >= 0x460 && c <= 0x481) || (c >= 0x48A && c <= 0x4BF) ||
                               (c >= 0x4D0 && c <= 0x52F) || (c >= 0x1E00 && c <= 0x1E95) ||
                               (c >= 0x1EA0 && c <= 0x1EFF);
    if (even_is_upper) return c | 1;
    return c;
}

bool is_wide_space(char32_t c) {
    return (c < 0x80 && is_space(static_cast<char>(c))) || c == 0xA0 || c == 0x3000 ||
           (c >= 0x2000 && c <= 0x200A);
}

}  // namespace

std::optional<std::string> to_utf8(std::string_view charset, std::string_view bytes) {
    charset = trim(charset);
    switch (builtin(charset)) {
        case Builtin::ascii: return from_ascii(bytes);
        case Builtin::utf8: return repaired_utf8(bytes);
        case Builtin::latin1: return from_latin1(bytes);
        case Builtin::none: break;
    }
    const Handle handle = open_iconv(charset);
    if (!handle) return std::nullopt;
    return by_iconv(handle.get(), bytes);
}

bool is_known_charset(std::string_view charset) {
    return builtin(charset) != Builtin::none || open_iconv(charset) != nullptr;
}

std::string guess_utf8(std::string_view text) {
    return is_utf8(text) ? std::string(text) : from_latin1(text);
}

void append_utf8(std::string& out, char32_t code) {
    const auto put = [&](char32_t byte) {
        out += static_cast<char>(static_cast<unsigned char>(byte));
    };
    if (code < 0x80) {
        put(code);
    } else if (code < 0x800) {
        put(0xC0 | code >> 6);
        put(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
        put(0xE0 | code >> 12);
        put(0x80 | (code >> 6 & 0x3F));
        put(0x80 | (code & 0x3F));
    } else {
        put(0xF0 | (code >> 18 & 7));
        put(0x80 | (code >> 12 & 0x3F));
        put(0x80 | (code >> 6 & 0x3F));
        put(0x80 | (code & 0x3F));
    }
}

char32_t take_utf8(std::string_view& text) {
    const auto first = static_cast<unsigned char>(text.front());
    std::size_t length = 1;
    char32_t code = first;
    char32_t smallest = 0;
    if (first >= 0x80) {
        length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
        smallest = length == 4 ? 0x10000 : length == 3 ? 0x800 : 0x80;
        code = first & (0x7Fu >> length);
        bool good = first >= 0xC2 && first <= 0xF4 && text.size() >= length;
        for (std::size_t i = 1; good && i < length; ++i) {
            const auto byte = static_cast<unsigned char>(text[i]);
            good = (byte & 0xC0) == 0x80;
            code = code << 6 | (byte & 0x3F);
        }
        // RFC 3629 3: no overlong forms, no surrogates, nothing above U+10FFFF
        if (!good || code < smallest || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) {
            length = 1;
            code = kReplacement;
        }
    }
    text.remove_prefix(length);
    return code;
}

namespace {

// What becomes of ASCII in fold_for_search(): 0 for what is not ASCII.
constexpr std::array<char, 256> make_ascii_folds() {
    std::array<char, 256> folds{};
    for (int c = 1; c < 128; ++c) {
        const char as_char = static_cast<char>(c);
        folds[static_cast<std::size_t>(c)] = is_space(as_char) ? ' ' : to_lower(as_char);
    }
    return folds;
}
constexpr std::array<char, 256> kAsciiFolds = make_ascii_folds();

}  // namespace

// SEARCH BODY spends its time here: ASCII is written through a table, into room that is there.
std::string fold_for_search(std::string_view text) {
    std::string out(text.size(), '\0');
    std::size_t size = 0;
    bool space = false;
    while (!text.empty()) {
        char* const to = out.data() + size;
        std::size_t read = 0, written = 0;
        for (; read < text.size(); ++read) {
            const char folded = kAsciiFolds[static_cast<unsigned char>(text[read])];
            if (folded == 0) break;
            to[written] = folded;
            written += !(space && folded == ' ');
            space = folded == ' ';
        }
        size += written;
        text.remove_prefix(read);
        if (text.empty()) break;
        const char32_t code = take_utf8(text);
        std::string piece;
        if (!is_wide_space(code)) {
            if (const std::string_view* mapped = casemap(code))
                piece = *mapped;
            else
                append_utf8(piece, fold(code));
        } else if (!space) {
            piece = " ";
        }
        space = is_wide_space(code);
        if (out.size() - size < piece.size() + text.size())
            out.resize(size + piece.size() + text.size());
        piece.copy(out.data() + size, piece.size());
        size += piece.size();
    }
    out.resize(size);
    return out;
}

}  // namespace postern::mail
