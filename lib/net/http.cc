#include "lib/net/http.h"

#include <algorithm>

#include "lib/base/strings.h"
#include "lib/crypto/secret.h"
#include "lib/net/stream.h"

namespace postern::net {
namespace {

Error bad_url(std::string_view what) { return {Errc::invalid, cat({"URL: ", what}), 0}; }
Error bad_answer(std::string_view what) { return {Errc::invalid, cat({"HTTP answer: ", what}), 0}; }

bool is_visible(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 127; });
}

// What is in front of the body.
struct Head {
    int status = 0;
    bool chunked = false;
    std::optional<std::size_t> length;
    std::size_t size = 0;  // of all of it, with the empty line
};

Result<int> status_of(std::string_view line) {
    const auto words = split_words(line, " ");
    const int status = words.size() < 2 ? 0 : parse_number<int>(words[1]).value_or(0);
    if (!line.starts_with("HTTP/1.") || status < 100 || status > 599)
        return bad_answer(cat({"status line \"", printable(line, 60), "\""}));
    return status;
}

Result<void> take_field(std::string_view line, Head& head) {
    const auto field = split_once(line, ':');
    if (!field || field->first.empty()) return bad_answer("a header line without a name");
    const std::string_view value = trim(field->second);
    if (iequals(field->first, "Transfer-Encoding")) {
        if (!iequals(value, "chunked")) return bad_answer("an unknown transfer encoding");
        head.chunked = true;
    }
    if (!iequals(field->first, "Content-Length")) return {};
    const auto length = parse_number<std::size_t>(value);
    if (!length || (head.length && *head.length != *length)) return bad_answer("Content-Length");
    head.length = *length;
    return {};
}

// Nothing: it goes on.
Result<std::optional<Head>> head_of(std::string_view bytes) {
    const auto end = bytes.find("\r\n\r\n");
    if (end == std::string_view::npos) return std::optional<Head>();
    Head head;
    head.size = end + 4;
    std::string_view rest = bytes.substr(0, end + 2);
    for (bool first = true; !rest.empty(); first = false) {
        const auto stop = rest.find("\r\n");
        const std::string_view line = rest.substr(0, stop);
        rest.remove_prefix(stop + 2);
        if (first) {
            TRY_ASSIGN(head.status, status_of(line));
        } else {
            TRY(take_field(line, head));
        }
    }
    return std::optional<Head>(head);
}

// RFC 9112 7.1. Nothing: it goes on.
Result<std::optional<std::string>> unchunked(std::string_view bytes) {
    std::string body;
    for (;;) {
        const auto stop = bytes.find("\r\n");
        if (stop == std::string_view::npos) return std::optional<std::string>();
        const std::string_view line = bytes.substr(0, stop);
        const auto size = parse_number<std::size_t>(trim(line.substr(0, line.find(';'))), 16);
        if (!size || *size > kMaxHttpAnswer) return bad_answer("the size of a chunk");
        bytes.remove_prefix(stop + 2);
        if (*size == 0) return std::optional<std::string>(std::move(body));  // no trailers for us
        if (bytes.size() < *size + 2) return std::optional<std::string>();
        if (bytes.substr(*size, 2) != "\r\n") return bad_answer("the end of a chunk");
        body += bytes.substr(0, *size);
        bytes.remove_prefix(*size + 2);
    }
}

Result<std::optional<std::string>> body_of(const Head& head, std::string_view bytes, bool ended) {
    std::optional<std::string> body;
    if (head.chunked) {
        TRY_ASSIGN(body, unchunked(bytes));
    } else if (head.length) {
        if (bytes.size() >= *head.length) body = std::string(bytes.substr(0, *head.length));
    } else if (ended) {
        body = std::string(bytes);
    }
    if (!body && ended) return bad_answer("it ends too early");
    return body;
}

Result<Stream> open_connection(const Url& url, const tls::ClientContext& context,
                               const Deadline& deadline) {
    TRY_ASSIGN(const auto addresses, resolve({url.host, url.port, {}}));
    Error last{Errc::not_found, "no address", 0};
    for (const auto& address : addresses) {
        auto stream = connect(address, deadline);
        if (stream && url.secure) {
            auto secured = stream->start_tls_client(context, url.host, deadline);
            if (!secured) stream = std::move(secured).error();
        }
        if (stream) return stream;
        last = std::move(stream).error();
    }
    return last;
}

}  // namespace

Result<Url> parse_url(std::string_view text) {
    Url url;
    url.secure = istarts_with(text, "https://");
    if (!url.secure && !istarts_with(text, "http://"))
        return bad_url("neither https:// nor http://");
    if (!is_visible(text)) return bad_url("a character that is not allowed");
    text.remove_prefix(url.secure ? 8 : 7);
    const auto slash = std::min(text.find_first_of("/?#"), text.size());
    const std::string_view authority = text.substr(0, slash);
    std::string_view target = text.substr(slash);
    if (authority.find('@') != std::string_view::npos) return bad_url("a user in it");
    if (target.find('#') != std::string_view::npos) return bad_url("a fragment");
    const auto endpoint = parse_endpoint(cat({"inet:", authority}), url.secure ? 443 : 80);
    if (authority.empty() || !endpoint || endpoint->host.empty()) return bad_url("no host");
    url.host = endpoint->host;
    url.port = endpoint->port;
    url.authority = authority;
    url.target = cat({target.starts_with('/') ? "" : "/", target});
    return url;
}

std::string url_encode(std::string_view text) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        if (is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~') {
            out += c;
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        out += '%';
        out += kDigits[byte >> 4];
        out += kDigits[byte & 15];
    }
    return out;
}

std::string http_text(const HttpRequest& request) {
    std::string text =
        cat({request.method, " ", request.url.target, " HTTP/1.1\r\nHost: ", request.url.authority,
             "\r\nConnection: close\r\n"});
    for (const auto& [name, value] : request.headers) text += cat({name, ": ", value, "\r\n"});
    if (!request.body.empty())
        text += cat({"Content-Length: ", std::to_string(request.body.size()), "\r\n"});
    return cat({text, "\r\n", request.body});
}

Result<std::optional<HttpResponse>> parse_http_response(std::string_view bytes, bool ended) {
    for (;;) {
        TRY_ASSIGN(const auto head, head_of(bytes));
        if (head && head->status < 200) {  // RFC 9110 15.2: the real one follows
            bytes.remove_prefix(head->size);
            continue;
        }
        if (head) {
            TRY_ASSIGN(auto body, body_of(*head, bytes.substr(head->size), ended));
            if (body)
                return std::optional<HttpResponse>(HttpResponse{head->status, *std::move(body)});
        }
        if (bytes.size() > kMaxHttpAnswer)
            return Error{Errc::no_space, "HTTP answer: longer than 65536 bytes", 0};
        if (!head && ended) return bad_answer("it ends too early");
        return std::optional<HttpResponse>();
    }
}

Result<HttpResponse> http_ask(const HttpRequest& request, const tls::ClientContext& context,
                              const Deadline& deadline) {
    TRY_ASSIGN(auto stream, open_connection(request.url, context, deadline));
    std::string text = http_text(request);
    const crypto::WipeGuard guard(text);
    TRY(stream.write(text, deadline));
    std::string bytes;
    for (;;) {
        TRY_ASSIGN(const std::string_view more, stream.read_some(deadline));
        bytes += more;
        TRY_ASSIGN(auto response, parse_http_response(bytes, more.empty()));
        if (response) return *std::move(response);
    }
}

}  // namespace postern::net
