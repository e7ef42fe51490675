// The arguments of GENURLAUTH, RESETKEY and URLFETCH: RFC 4467 7, RFC 5524 4.
#pragma once

#include <string>
#include <vector>

#include "lib/base/result.h"
#include "lib/imap/parser.h"

namespace postern::imap {

inline constexpr std::size_t kMaxUrls = 200;  // of one command

struct GenUrlAuthArguments {
    struct One {
        std::string url, mechanism;
    };
    std::vector<One> urls;
};
struct ResetKeyArguments {
    std::string mailbox;  // empty: all
    std::vector<std::string> mechanisms;
};
struct UrlFetchArguments {
    struct One {
        std::string url;
        // RFC 5524; none of them: the answer has the form of RFC 4467
        bool body = false, structure = false, binary = false;
        bool extended() const { return body || structure || binary; }
    };
    std::vector<One> urls;
};

// After the command's name.
Result<GenUrlAuthArguments> parse_genurlauth(Parser& parser);
Result<ResetKeyArguments> parse_resetkey(Parser& parser);
Result<UrlFetchArguments> parse_urlfetch(Parser& parser);

}  // namespace postern::imap
