// GENURLAUTH, RESETKEY, URLFETCH: RFC 4467 with RFC 5524. A URL is good for the messages of the
// user who made it, in sessions of that user: a session runs as its user and sees no other home, so
// that what another user's session is asked for is answered with NIL. Each user has a key of his
// own for each mailbox (beside its messages, or, of others' mailboxes, in his own), made when the
// first URL is.
#include "imapd/message_urls.h"
#include "imapd/session.h"
#include "lib/base/strings.h"
#include "lib/crypto/secret.h"
#include "lib/imap/response.h"

namespace postern::imapd {
namespace {

constexpr std::string_view kMechanism = "INTERNAL";

std::int64_t now_seconds() {
    return std::chrono::duration_cast<Seconds>(SystemClock::instance().now().time_since_epoch())
        .count();
}

}  // namespace

// With the mailbox as the store calls it.
Result<imap::MessageUrl> Session::url_of(std::string_view text) const {
    TRY_ASSIGN(imap::MessageUrl url, imap::parse_message_url(text));
    url.mailbox = *names_.stored(url.mailbox, false);
    return url;
}

// Is this the user of the session? A name without its domain, or with the URL's server as that, is
// one too.
bool Session::is_own_url(const imap::MessageUrl& url) const {
    const std::string& user = options_.user;
    if (!url.absolute) return true;
    return url.user == user || cat({url.user, "@", url.host}) == user ||
           (!url.user.empty() && user.starts_with(url.user + "@"));
}

// RFC 4467 3: may the user of this session use it?
bool Session::is_access_granted(const imap::MessageUrl& url, std::string_view text) const {
    const imap::UrlAuth& auth = *url.auth;
    if (!iequals(auth.mechanism, kMechanism)) return false;
    if (auth.expires && *auth.expires < now_seconds()) return false;
    const bool granted = iequals(auth.access, "authuser") || iequals(auth.access, "anonymous") ||
                         iequals(auth.access, "user+" + options_.user);
    if (!granted) return false;
    const auto key = store_.url_key(url.mailbox, false);
    return key && !key->empty() &&
           crypto::secure_equal(to_lower(auth.token),
                                url_token(*key, text.substr(0, auth.rump_size)));
}

// For CATENATE: a part of one of the user's own messages.
Result<std::string> Session::bytes_of_url(const std::string& text) {
    const auto url = url_of(text);
    if (!url) return Error{Errc::invalid, url.error().what, 0};
    if (!is_own_url(*url) || (url->auth && !is_access_granted(*url, text)))
        return Error{Errc::denied, "Not a URL of this user", 0};
    if (lacks("r", url->mailbox))
        return Error{Errc::denied, "Access control list forbids to read it", 0};
    TRY_ASSIGN(const auto target, UrlTarget::open(store_, *url));
    return target->bytes();
}

// RFC 4467 7: a URL of the user's own, complete but for its verifier
Reply Session::generate_urls(const imap::GenUrlAuthArguments& arguments) {
    std::string line = "* GENURLAUTH";
    for (const auto& one : arguments.urls) {
        const auto url = url_of(one.url);
        if (!url || !url->absolute || !url->auth || !url->auth->mechanism.empty())
            return Reply::bad("Error in IMAP command: Not the URL of a message with URLAUTH");
        if (url->user.empty())  // RFC 4467 7
            return Reply::bad("Error in IMAP command: The URL does not say whose it is");
        if (!iequals(one.mechanism, kMechanism)) return Reply::bad("Unknown URLAUTH mechanism");
        if (!is_own_url(*url)) return Reply::no("[CANNOT] Not a URL of this user");
        if (auto box = store_.mailbox(url->mailbox); !box) return failed(box.error());
        if (auto refusal = lacks("r", url->mailbox)) return *refusal;
        const auto key = store_.url_key(url->mailbox, true);
        if (!key) return failed(key.error());
        line += ' ';
        imap::append_string(line, cat({one.url, ":internal:", url_token(*key, one.url)}));
    }
    out_.write(line + "\r\n");
    return Reply::ok("GENURLAUTH completed.");
}

Reply Session::reset_keys(const imap::ResetKeyArguments& arguments) {
    for (const std::string& mechanism : arguments.mechanisms)
        if (!iequals(mechanism, kMechanism)) return Reply::bad("Unknown URLAUTH mechanism");
    std::vector<std::string> names{arguments.mailbox};
    if (arguments.mailbox.empty()) {
        if (auto done = store_.reset_url_keys_of_others(); !done) return failed(done.error());
        auto folders = store_.folders();
        if (!folders) return failed(folders.error());
        names.clear();
        for (const auto& folder : *folders)
            if (folder.selectable && store_.is_personal(folder.name)) names.push_back(folder.name);
    }
    for (const std::string& name : names)
        if (auto done = store_.reset_url_key(name); !done) return failed(done.error());
    return Reply::ok("[URLMECH INTERNAL] RESETKEY completed.");
}

// RFC 5524 4: "(BODYPARTSTRUCTURE (...)) (BINARY {5}"
Result<std::string> Session::extended_url(UrlTarget& target,
                                          const imap::UrlFetchArguments::One& one) {
    std::string out;
    if (one.structure) {
        TRY_ASSIGN(const std::string structure, target.structure(one.binary));
        out += cat({" (BODYPARTSTRUCTURE ", structure, ")"});
    }
    if (one.body) {
        TRY_ASSIGN(const std::string bytes, target.bytes());
        out += " (BODY ";
        imap::append_literal(out, bytes);
        out += ')';
    }
    if (one.binary) {
        TRY_ASSIGN(const auto bytes, target.binary());
        out += " (BINARY ";
        if (!bytes)
            out += "NIL";
        else if (bytes->find('\0') != std::string::npos)
            imap::append_literal8(out, *bytes);
        else
            imap::append_literal(out, *bytes);
        out += ')';
    }
    return out;
}

Result<std::string> Session::fetched_url(const imap::UrlFetchArguments::One& one) {
    TRY_ASSIGN(const imap::MessageUrl url, url_of(one.url));
    if (!url.absolute || !url.auth || !is_own_url(url) || !is_access_granted(url, one.url))
        return Error{Errc::denied, "not granted", 0};
    if (lacks("r", url.mailbox)) return Error{Errc::denied, "not granted", 0};
    TRY_ASSIGN(const auto target, UrlTarget::open(store_, url));
    if (one.extended()) return extended_url(*target, one);
    TRY_ASSIGN(const std::string bytes, target->bytes());
    std::string out = " ";
    imap::append_literal(out, bytes);
    return out;
}

// RFC 4467 7: NIL for whatever is not to be had, and no word why
Reply Session::fetch_urls(const imap::UrlFetchArguments& arguments) {
    for (const auto& one : arguments.urls) {
        std::string line = "* URLFETCH ";
        imap::append_astring(line, one.url);
        out_.write(cat({line, fetched_url(one).value_or(" NIL"), "\r\n"}));
    }
    return Reply::ok("URLFETCH completed.");
}

}  // namespace postern::imapd
