// Rules: header_checks and its relatives: what the tables say about a header field or a line
// of text, and what that means for the message (header_checks(5)). The tables are asked behind an
// interface, the meaning is pure. Used by cleanup for mail that comes in, by the SMTP client for
// mail that goes out.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/lookup.h"
#include "lib/base/verdict.h"
#include "lib/table/maps.h"

namespace postern::content {

// header_checks, mime_header_checks, nested_header_checks, body_checks.
enum class Kind : unsigned char { header, mime_header, nested_header, body };

// Where rules are used: how their parameters are called there, and what they may do.
struct Dialect {
    std::string_view prefix;  // before "header_checks"
    bool edits_only = false;  // the mail is on its way: neither its time nor its destination change
    bool prepends = true;
    std::string_view noted_as;  // before an action in the log
    std::size_t logged = 200;   // of a line, at most
};

class Rules {
  public:
    virtual ~Rules() = default;
    // Is there anything that looks at this kind?
    virtual bool wants(Kind kind) const = 0;
    virtual Lookup<std::string> find(Kind kind, std::string_view text) = 0;
    // After find() found something: where, "regexp:/x line 3".
    virtual std::string matched(Kind) const { return {}; }
    virtual Dialect dialect() const { return {}; }
};

// No tables at all.
class NoRules final : public Rules {
  public:
    bool wants(Kind) const override { return false; }
    Lookup<std::string> find(Kind, std::string_view) override { return NotFound{}; }
};

// Lists of tables, as main.cf has them.
struct TableNames {
    std::string header, mime_header, nested_header, body;
};

// What of a message is looked at.
struct Limits {
    std::size_t header_size = 102400;      // of one header field
    std::size_t body_checks_size = 51200;  // of each part
    bool mime_input = true;                // look for parts (disable_mime_input_processing)
    // What refuses a message: 8-bit characters in headers, in text that is not said to have them,
    // an encoding around parts (strict_7bit_headers, strict_8bitmime_body,
    // strict_mime_encoding_domain).
    struct Strict {
        bool headers = false, body = false, domain = false;
        bool any() const { return headers || body || domain; }
    } strict;
    std::size_t mime_nesting = 100, mime_boundary_length = 2048;
};

// The tables of main.cf.
class TableRules final : public Rules {
  public:
    explicit TableRules(const TableNames& tables, const Dialect& dialect = {});
    bool wants(Kind kind) const override;
    Lookup<std::string> find(Kind kind, std::string_view text) override;
    std::string matched(Kind kind) const override;
    Dialect dialect() const override { return dialect_; }
    bool empty() const;

  private:
    table::Maps maps_[4];
    Dialect dialect_;
};

// What the rules have decided about the message so far.
struct Effects {
    // For the log, one for each rule that says something: "warning: header Subject: x", and the
    // rule's own words.
    struct Note {
        std::string what, text, rule;  // rule: "header_checks (regexp:/x line 3)"
    };
    std::optional<Verdict> refusal;
    bool discard = false, hold = false;
    bool utf8_header = false;  // some field of a part's header has UTF-8
    std::string filter;        // transport:destination
    std::string redirect;      // everything goes to this address instead
    std::vector<std::string> bcc;
    std::vector<Note> notes;
};

// What becomes of one field or line; `text` may have been replaced.
struct Fate {
    bool keep = true;
    std::string prepend;  // goes before it
    bool replaced = false;
    std::string text;  // instead of it
};

// Asks the rules about a field or line (without its line end; lines of a folded field are separated
// by "\n") and notes what follows in `effects`.
Fate judge(Rules& rules, Kind kind, std::string_view text, Effects& effects);

// A message that is not what MIME allows: a line for the log, and a refusal unless there is one.
void refuse_mime(Effects& effects, std::string_view what, std::string_view sample);
// strict_7bit_headers.
void check_field(std::string_view field, Effects& effects);

// The length of a field's name when the line begins a header field, else 0.
std::size_t field_name_size(std::string_view line);
// Is it one of MIME's own fields (Content-Type and the like)? Takes a name in lower case.
bool is_mime_field(std::string_view lower_name);
// Does it have characters beyond ASCII, in UTF-8 (RFC 6532)? Others were always there, and need no
// SMTPUTF8.
bool is_utf8_field(std::string_view field);
// Asks the rules about a field with its line ends, appends what they put before it, and returns
// what becomes of it; nothing: it goes.
std::optional<std::string> judge_field(Rules& rules, Kind kind, std::string field, Effects& effects,
                                       std::string& out);

}  // namespace postern::content
