// Structured MIME fields: Content-Type, Content-Disposition and lists of words (RFC 2045 5.1,
// RFC 2183, RFC 3282). Parameters stay as they are written (RFC 2231 pieces are not joined),
// because IMAP's BODYSTRUCTURE shows them so.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace postern::mail {

inline constexpr std::size_t kMaxParameters = 100;

struct Parameter {
    std::string name;
    std::string value;  // quotes and escapes removed
};

struct ContentType {
    std::string type;     // as written, never empty
    std::string subtype;  // never empty
    std::vector<Parameter> parameters;

    bool is(std::string_view wanted) const;  // compares the type, any case
    bool is(std::string_view wanted, std::string_view wanted_subtype) const;
    const std::string* parameter(std::string_view name) const;
};

struct Disposition {
    std::string kind;  // "attachment"
    std::vector<Parameter> parameters;
};

// Nothing when there is no "type/subtype" at the start; junk among the parameters is skipped.
std::optional<ContentType> parse_content_type(std::string_view body);
std::optional<Disposition> parse_disposition(std::string_view body);
// "en, fr" -> en fr
std::vector<std::string> parse_word_list(std::string_view body);
// The first word: for Content-Transfer-Encoding. Empty when there is none.
std::string parse_first_word(std::string_view body);

}  // namespace postern::mail
