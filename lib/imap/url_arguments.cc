#include "lib/imap/url_arguments.h"

#include "lib/base/strings.h"

namespace postern::imap {
namespace {

// RFC 5524 4: "(url BINARY BODYPARTSTRUCTURE)", or the URL alone
Result<UrlFetchArguments::One> parse_one_urlfetch(Parser& parser) {
    UrlFetchArguments::One out;
    const bool list = parser.eat('(');
    TRY_ASSIGN(out.url, parser.astring());
    if (!list) return out;
    while (parser.eat(' ')) {
        TRY_ASSIGN(const std::string_view word, parser.word());
        if (iequals(word, "BODY"))
            out.body = true;
        else if (iequals(word, "BODYPARTSTRUCTURE"))
            out.structure = true;
        else if (iequals(word, "BINARY"))
            out.binary = true;
        else
            return bad("Unknown URLFETCH parameter " + printable(word, 40));
    }
    TRY(parser.expect(')'));
    if (!out.extended()) return bad("URLFETCH parameter is missing");
    if (out.body && out.binary) return bad("BODY and BINARY exclude each other");
    return out;
}

}  // namespace

Result<GenUrlAuthArguments> parse_genurlauth(Parser& parser) {
    GenUrlAuthArguments out;
    do {
        GenUrlAuthArguments::One one;
        TRY(parser.space());
        TRY_ASSIGN(one.url, parser.astring());
        TRY(parser.space());
        TRY_ASSIGN(one.mechanism, parser.atom());
        out.urls.push_back(std::move(one));
        if (out.urls.size() > kMaxUrls) return bad("Too many URLs");
    } while (!parser.at_end());
    return out;
}

Result<ResetKeyArguments> parse_resetkey(Parser& parser) {
    ResetKeyArguments out;
    if (!parser.eat(' ') || parser.at_end()) return out;
    TRY_ASSIGN(out.mailbox, parser.astring());
    while (parser.eat(' ') && !parser.at_end()) {
        TRY_ASSIGN(const std::string_view mechanism, parser.atom());
        out.mechanisms.emplace_back(mechanism);
        if (out.mechanisms.size() > kMaxUrls) return bad("Too many mechanisms");
    }
    return out;
}

Result<UrlFetchArguments> parse_urlfetch(Parser& parser) {
    UrlFetchArguments out;
    do {
        TRY(parser.space());
        TRY_ASSIGN(UrlFetchArguments::One one, parse_one_urlfetch(parser));
        out.urls.push_back(std::move(one));
        if (out.urls.size() > kMaxUrls) return bad("Too many URLs");
    } while (!parser.at_end());
    return out;
}

}  // namespace postern::imap
