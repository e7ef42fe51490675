// Envelope: everything about a queued message except its text: who sent it, when and how it came,
// and where it goes. cleanup makes it, the queue file keeps it, qmgr and the agents read it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/ids.h"

namespace postern::queue {

// RFC 3461 4.1: what a sender wants to hear about a recipient. 0: nothing was asked.
enum Notify : std::uint8_t {
    kNotifyNever = 1,
    kNotifySuccess = 2,
    kNotifyFailure = 4,
    kNotifyDelay = 8
};

struct Recipient {
    std::string address;              // where it goes, after alias expansion; without <>
    std::string original;             // as the client said it; empty: the same as address
    std::string orcpt;                // RFC 3461 4.2: "rfc822;..." ; empty: not given
    std::uint8_t notify = 0;          // Notify bits
    bool done = false;                // delivered or given up; nothing more to do
    std::uint64_t status_offset = 0;  // of the status byte in the file; 0 until the file is read

    // What to show as the address that the sender used.
    const std::string& shown_original() const { return original.empty() ? address : original; }
};

// RFC 3461 5.2.7.3: of a recipient that stood for several, the sender hears once that it was
// expanded; the others tell of failures and delays only.
std::uint8_t notify_of_members(std::uint8_t notify);

struct Attribute {
    std::string name;  // letters, digits, '_'
    std::string value;
};

// Names of attributes that several programs use (Postfix's names, as postcat shows them).
namespace attribute {
inline constexpr std::string_view kClientName = "client_name";
inline constexpr std::string_view kReverseClientName = "reverse_client_name";
inline constexpr std::string_view kClientAddress = "client_address";
inline constexpr std::string_view kClientPort = "client_port";
inline constexpr std::string_view kLogIdent = "log_ident";  // the name that a relay before us has for it
inline constexpr std::string_view kHelo = "helo_name";
inline constexpr std::string_view kProtocol = "protocol_name";
inline constexpr std::string_view kSaslUsername = "sasl_username";
inline constexpr std::string_view kSaslMethod = "sasl_method";
inline constexpr std::string_view kSaslSender = "sasl_sender";
inline constexpr std::string_view kEnvid = "dsn_envelope_id";
inline constexpr std::string_view kRet = "dsn_ret_flags";  // "full" or "hdrs"
inline constexpr std::string_view kSession = "session";
inline constexpr std::string_view kRewriteContext = "rewrite_context";
inline constexpr std::string_view kMessageId = "message_id";
inline constexpr std::string_view kContentFilter = "content_filter";  // "transport:destination"
inline constexpr std::string_view kPriority = "mt_priority";  // RFC 6710: -9 to 9, without it 0
inline constexpr std::string_view kRelease = "release_time";  // RFC 4865: microseconds since 1970
inline constexpr std::string_view kVerp = "verp_delimiters";  // two characters; without it no VERP
inline constexpr std::string_view kOrigin = "origin";  // "smtp", "local" or "internal"
}  // namespace attribute

enum Flag : std::uint32_t {
    kHasDotLines = 1,  // some line begins with "."; without it the text needs no dot-stuffing
    kBody8bit = 2,     // BODY=8BITMIME, RFC 6152
    kSmtpUtf8 = 4,     // the sender asked for SMTPUTF8 (RFC 6531), or cleanup found that it is needed
    kHold = 8,         // qmgr is to move it to hold/ at once
    kReportAll = 16,   // sendmail -v: the sender hears what became of each recipient
    kProbe = 32,       // nothing is delivered; what would be goes to the verify service
    kProbeReport = 64,  // the same, for a report to the sender (sendmail -bv)
    kUtf8Header = 128,  // with kSmtpUtf8: some header field has UTF-8
    kTlsOptional = 256,  // "TLS-Required: no" (RFC 8689 5): no policy of ours about TLS may stop it
};

struct Envelope {
    QueueId id;
    WallTime arrival{};  // when the client began, or when it was first submitted
    std::string sender;  // without <>; empty: the null sender
    std::uint32_t flags = 0;
    std::vector<Attribute> attributes;
    std::vector<Recipient> recipients;
    // What cleanup expanded into several of those, and whose sender asked to hear of success.
    std::vector<Recipient> expanded;

    bool has(Flag flag) const { return (flags & flag) != 0; }
    bool is_probe() const { return (flags & (kProbe | kProbeReport)) != 0; }
    int priority() const;        // RFC 6710
    WallTime release() const;    // RFC 4865: not to be delivered before; zero: at once
    // The value, or "" when there is none.
    std::string_view attribute(std::string_view name) const;
    // Adds or replaces; an empty value removes it.
    void set_attribute(std::string_view name, std::string_view value);
    // How many recipients are not done.
    std::size_t remaining() const;
};

// Where a message's text lies in its queue file.
struct Extent {
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
};

}  // namespace postern::queue
