#include "commands/imap_source.h"

#include "lib/base/encode.h"
#include "lib/base/strings.h"
#include "lib/crypto/secret.h"
#include "lib/tls/context.h"

namespace postern::commands {
namespace {

constexpr Millis kServerConnectWait{30'000};
constexpr Millis kServerWait{300'000};  // a server may think for long about a large folder
constexpr std::size_t kMaxServerLine = 8 << 20;
constexpr std::uint64_t kMaxLiteral = 512 << 20;
constexpr std::uint16_t kImapPort = 143, kImapsPort = 993;

Deadline in_time() { return Deadline::in(kServerWait); }

Error no_imap(std::string_view what) { return {Errc::denied, std::string(what), 0}; }

Result<net::Stream> connect_to(const ImapAccount& account) {
    net::Endpoint endpoint;
    endpoint.host = account.host;
    endpoint.port = account.port != 0 ? account.port : account.tls_first ? kImapsPort : kImapPort;
    TRY_ASSIGN(const auto addresses, net::resolve(endpoint));
    Error last{Errc::not_found, account.host + ": no address", 0};
    for (const auto& address : addresses) {
        auto stream = net::connect(address, Deadline::in(kServerConnectWait));
        if (stream) return stream;
        last = stream.error();
    }
    return last;
}

}  // namespace

Result<ImapAccount> parse_imap_server(std::string_view text) {
    ImapAccount out;
    const std::string whole = printable(text, 200);
    if (istarts_with(text, "imaps://")) {
        text.remove_prefix(8);
    } else if (istarts_with(text, "imap://")) {
        text.remove_prefix(7);
        out.tls_first = false;
    }
    while (text.ends_with('/')) text.remove_suffix(1);
    const auto endpoint = net::parse_endpoint(text, 0);
    if (!endpoint || endpoint->host.empty() || text.find_first_of("/@ ") != std::string_view::npos)
        return Error{Errc::invalid, "not an IMAP server: " + whole, 0};
    out.host = endpoint->host;
    out.port = endpoint->port;
    return out;
}

Result<ImapSource> ImapSource::open(const ImapAccount& account) {
    TRY_ASSIGN(net::Stream stream, connect_to(account));
    ImapSource source(std::move(stream));
    TRY(source.begin(account));
    return source;
}

Result<void> ImapSource::begin(const ImapAccount& account) {
    if (account.tls_first) TRY(start_tls(account));
    TRY_ASSIGN(const auto greeting, read());
    if (greeting.tag != "*" || (greeting.label != "OK" && greeting.label != "PREAUTH"))
        return no_imap(cat({account.host, " does not want us: ", printable(greeting.text, 200)}));
    TRY(learn_capabilities());
    const bool secured = account.tls_first;
    if (!secured && can("STARTTLS")) {
        TRY(run("STARTTLS"));
        TRY(start_tls(account));
        TRY(learn_capabilities());  // RFC 9051 6.2.1: what was said before is not to be believed
    } else if (!secured && !account.plaintext) {
        return no_imap(account.host +
                       " has no TLS; the password would be read by others "
                       "(--plaintext to send it all the same)");
    }
    if (greeting.label == "PREAUTH") return {};
    TRY(log_in(account));
    return learn_capabilities();
}

Result<void> ImapSource::start_tls(const ImapAccount& account) {
    tls::ClientOptions options;
    options.trusted_ca_file = account.ca_file;
    options.verify = account.verify;
    TRY_ASSIGN(const auto context, tls::ClientContext::make(options));
    return stream_.start_tls_client(context, account.host, Deadline::in(kServerConnectWait));
}

// By AUTHENTICATE PLAIN (RFC 4616), which takes passwords with any characters, or by LOGIN.
Result<void> ImapSource::log_in(const ImapAccount& account) {
    if (can("AUTH=PLAIN")) {
        using namespace std::string_literals;
        std::string message = cat({"\0"s, account.user, "\0"s, account.password});
        std::string line = base64_encode(message) + "\r\n";
        const crypto::WipeGuard message_guard(message), line_guard(line);
        TRY(stream_.write("login AUTHENTICATE PLAIN\r\n", in_time()));
        for (bool sent = false;;) {
            TRY_ASSIGN(const auto answer, read());
            if (answer.tag == "+" && !sent) {
                TRY(stream_.write(line, in_time()));
                sent = true;
            } else if (answer.tag == "login") {
                if (answer.label == "OK") return {};
                return no_imap("login refused: " + printable(answer.text, 200));
            } else if (answer.tag != "*") {
                return no_imap("login: unexpected answer");
            }
        }
    }
    const auto user = imap::quoted_string(account.user);
    auto password = imap::quoted_string(account.password);
    if (!user || !password)
        return no_imap("the server has no AUTH=PLAIN, which this name or password needs");
    std::string command = cat({"LOGIN ", *user, " ", *password});
    const crypto::WipeGuard command_guard(command), password_guard(*password);
    auto done = run(command);
    if (!done && done.error().code == Errc::denied)
        return no_imap("login refused: " + done.error().what);
    return done;
}

// A response with its literals.
Result<imap::ServerResponse> ImapSource::read() {
    std::string bytes;
    for (;;) {
        TRY_ASSIGN(const std::string line, stream_.read_line(kMaxServerLine, in_time()));
        bytes += line;
        const auto literal = imap::literal_at_end(line);
        if (!literal) {
            auto response = imap::parse_server_response(bytes);
            if (!response) return Error{Errc::corrupt, response.error().what, 0};
            return response;
        }
        if (*literal + bytes.size() > kMaxLiteral)
            return Error{Errc::corrupt, "the server sends more than fits into memory", 0};
        TRY_ASSIGN(const std::string content,
                   stream_.read_bytes(static_cast<std::size_t>(*literal), in_time()));
        bytes += "\r\n";
        bytes += content;
    }
}

Result<void> ImapSource::run(std::string_view command, const OnData& on_data) {
    const std::string tag = "p" + std::to_string(++commands_);
    TRY(stream_.write(cat({tag, " ", command, "\r\n"}), in_time()));
    for (;;) {
        TRY_ASSIGN(const auto response, read());
        if (response.tag == tag) {
            if (response.label == "OK") return {};
            return Error{Errc::denied, printable(response.text, 300), 0};
        }
        if (response.tag != "*") return no_imap("an answer that nobody asked for");
        if (response.label == "BYE")
            return Error{Errc::closed, "the server ends: " + printable(response.text, 200), 0};
        if (on_data) TRY(on_data(response));
    }
}

Result<void> ImapSource::learn_capabilities() {
    capabilities_.clear();
    return run("CAPABILITY", [this](const imap::ServerResponse& response) -> Result<void> {
        if (response.label == "CAPABILITY") take_capabilities(response.values);
        return {};
    });
}

void ImapSource::take_capabilities(const std::vector<imap::Value>& words) {
    for (const imap::Value& word : words)
        if (capabilities_.size() < 1000) capabilities_.insert(to_upper(word.text));
}

void ImapSource::finish() {
    (void)run("LOGOUT").has_value();  // BYE comes before the end, which is as good
    stream_.finish(Deadline::in(Millis{1'000}));
}

}  // namespace postern::commands
