// The arguments of GETMETADATA and SETMETADATA, RFC 5464 4.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/result.h"
#include "lib/imap/parser.h"

namespace postern::imap {

inline constexpr std::size_t kMaxMetadataNames = 100;
inline constexpr std::size_t kMaxMetadataName = 200;

struct GetMetadataArguments {
    enum class Depth : unsigned char { zero, one, infinity };
    std::optional<std::uint64_t> max_size;
    Depth depth = Depth::zero;
    std::string mailbox;
    std::vector<std::string> entries;  // in lower case

    // Is the entry asked for, by its name or by one above it?
    bool asks_for(std::string_view entry) const;
};
struct SetMetadataArguments {
    struct Entry {
        std::string name;                  // in lower case
        std::optional<std::string> value;  // NIL: nothing
    };
    std::string mailbox;
    std::vector<Entry> entries;
};

// After the command's name.
Result<GetMetadataArguments> parse_get_metadata(Parser& parser);
// What LIST is to return of each mailbox, RFC 9590: "(/private/comment)", with options before it.
Result<GetMetadataArguments> parse_listed_metadata(Parser& parser);
Result<SetMetadataArguments> parse_set_metadata(Parser& parser);

}  // namespace postern::imap
