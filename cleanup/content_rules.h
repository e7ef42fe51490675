// ContentRules: header_checks and its relatives: what the tables say about a header field or a line
// of text, and what that means for the message (header_checks(5)). The tables are asked behind an
// interface, the meaning is pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/lookup.h"
#include "lib/base/verdict.h"
#include "lib/table/maps.h"

#include "cleanup/options.h"

namespace postern::cleanup {

// header_checks, mime_header_checks, nested_header_checks, body_checks.
enum class ContentKind : unsigned char { header, mime_header, nested_header, body };

class ContentRules {
  public:
    virtual ~ContentRules() = default;
    // Is there anything that looks at this kind?
    virtual bool wants(ContentKind kind) const = 0;
    virtual Lookup<std::string> find(ContentKind kind, std::string_view text) = 0;
    // After find() found something: where, "regexp:/x line 3".
    virtual std::string matched(ContentKind) const { return {}; }
};

// The tables of main.cf.
class TableRules final : public ContentRules {
  public:
    explicit TableRules(const Options& options);
    bool wants(ContentKind kind) const override;
    Lookup<std::string> find(ContentKind kind, std::string_view text) override;
    std::string matched(ContentKind kind) const override;

  private:
    table::Maps maps_[4];
};

// What the rules have decided about the message so far.
struct ContentEffects {
    // For the log, one for each rule that says something: "warning: header Subject: x", and the
    // rule's own words.
    struct Note {
        std::string what, text, rule;  // rule: "header_checks (regexp:/x line 3)"
    };
    std::optional<Verdict> refusal;
    bool discard = false, hold = false;
    std::string filter;    // transport:destination
    std::string redirect;  // everything goes to this address instead
    std::vector<std::string> bcc;
    std::vector<Note> notes;
};

// What becomes of one field or line; `text` may have been replaced.
struct ContentFate {
    bool keep = true;
    std::string prepend;  // goes before it
    bool replaced = false;
    std::string text;  // instead of it
};

// Asks the rules about a field or line (without its line end; lines of a folded field are separated
// by "\n") and notes what follows in `effects`.
ContentFate judge(ContentRules& rules, ContentKind kind, std::string_view text,
                  ContentEffects& effects);

}  // namespace postern::cleanup
