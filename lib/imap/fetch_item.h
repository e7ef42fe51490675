// What a FETCH asks for, RFC 3501 6.4.5.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/result.h"
#include "lib/imap/parser.h"

namespace postern::imap {

inline constexpr std::size_t kMaxFetchItems = 200;
inline constexpr std::size_t kMaxSectionDepth = 100;
inline constexpr std::size_t kMaxHeaderFields = 500;

// "4.2.HEADER.FIELDS (From To)"
struct Section {
    enum class Text : unsigned char { all, header, header_fields, header_fields_not, text, mime };

    std::vector<std::uint32_t> path;
    Text text = Text::all;
    std::vector<std::string> fields;
};

struct FetchItem {
    enum class Kind : unsigned char {
        uid,
        flags,
        internal_date,
        rfc822_size,
        envelope,
        body,  // structure without extension data
        body_structure,
        section,      // BODY[...], RFC822, RFC822.HEADER, RFC822.TEXT
        binary,       // BINARY[...], RFC 3516
        binary_size,  // BINARY.SIZE[...]
        modseq,       // RFC 7162
        email_id,     // RFC 8474
        thread_id,
        save_date,  // RFC 8514
        preview,    // RFC 8970
    };
    struct Partial {
        std::uint64_t offset = 0;
        std::uint64_t count = 0;
    };

    Kind kind = Kind::flags;
    std::string label;  // how the response names it: "BODY[1.2]<0>"
    Section section;
    std::optional<Partial> partial;
    bool sets_seen = false;
};

// An item that is nothing but its name: UID, FLAGS, MODSEQ.
FetchItem plain_item(FetchItem::Kind kind);
bool has_item(const std::vector<FetchItem>& items, FetchItem::Kind kind);

// "1.2.HEADER.FIELDS (From To)"; a "]" or the end is next afterwards. Nothing at all is the whole.
Result<Section> parse_section(Parser& parser);

// ALL, FAST, FULL, one item or a list in parentheses. Duplicates are removed.
Result<std::vector<FetchItem>> parse_fetch_items(Parser& parser);

}  // namespace postern::imap
