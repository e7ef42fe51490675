#include "forwarder/tls_report.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "lib/base/encode.h"
#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/sys/unix_datagram.h"

namespace postern::forwarder {
namespace {

constexpr std::size_t kMaxAsked = 1000;  // destinations whose record is awaited
constexpr std::size_t kMaxTlsa = 20;     // records told, of a host that has more
constexpr std::string_view kVersion = "v=TLSRPTv1";
constexpr int kPolicyTlsa = 1, kPolicyNone = 9;  // of libtlsrpt

// RFC 8259 7. What is no UTF-8 would make the whole text none.
std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (const char c : printable(text)) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + '"';
}

void add(std::string& out, std::string_view name, std::string_view value) {
    if (!value.empty()) out += cat({",\"", name, "\":", quoted(value)});
}

// RFC 8460 4.3.2: as a zone file has it, "3 1 1 0f3a...".
std::string tlsa_text(std::string_view record) {
    std::string out;
    for (std::size_t i = 0; i < 3 && i < record.size(); ++i)
        out += cat({std::to_string(static_cast<unsigned char>(record[i])), " "});
    return out + hex_encode(record.substr(std::min<std::size_t>(3, record.size())));
}

std::string failure_text(const TlsAttempt& attempt) {
    std::string out = cat({"{\"c\":", std::to_string(static_cast<int>(attempt.failure))});
    add(out, "s", attempt.own_address);
    add(out, "n", attempt.server);
    add(out, "r", attempt.server_address);
    add(out, "f", attempt.why);
    return out + '}';
}

std::string policy_text(const TlsAttempt& attempt) {
    const bool dane = !attempt.tlsa.empty();
    std::string out = cat({"{\"policy-type\":", std::to_string(dane ? kPolicyTlsa : kPolicyNone)});
    add(out, "policy-domain", dane ? attempt.tlsa_base : attempt.domain);
    if (dane) {
        std::string all;
        for (std::size_t i = 0; i < std::min(attempt.tlsa.size(), kMaxTlsa); ++i)
            all += cat({i == 0 ? "" : ",", quoted(tlsa_text(attempt.tlsa[i]))});
        out += cat({",\"policy-string\":[", all, "]"});
    }
    const bool failed = attempt.failure != TlsFailure::none;
    if (failed) out += cat({",\"failure-details\":[", failure_text(attempt), "]"});
    return out + (failed ? ",\"t\":1,\"f\":1}" : ",\"t\":0,\"f\":0}");
}

}  // namespace

std::string report_text(const TlsAttempt& attempt, std::string_view record) {
    return cat({"{\"d\":", quoted(attempt.domain), ",\"pr\":", quoted(record), ",\"policies\":[",
                policy_text(attempt), "]}"});
}

// More than one: none, as for SPF.
std::string report_record(const std::vector<dns::Record>& records) {
    std::string found;
    for (const dns::Record& record : records) {
        const std::string_view text = record.data;
        const bool versioned =
            text.starts_with(kVersion) && trim(text.substr(kVersion.size())).starts_with(';');
        if (!versioned) continue;
        if (!found.empty()) return {};
        found = record.data;
    }
    return found;
}

TlsReports::TlsReports(dns::AsyncResolver& resolver, std::string socket, std::string parameter,
                       Millis dns_timeout)
    : resolver_(resolver),
      socket_(std::move(socket)),
      parameter_(std::move(parameter)),
      dns_timeout_(dns_timeout) {}

TlsReports::~TlsReports() {
    for (const auto& [id, attempt] : asked_) resolver_.cancel(id);
}

void TlsReports::tell(TlsAttempt attempt) {
    const auto name = dns::ascii_name(attempt.domain);
    if (!name) return;  // then there was no server either
    if (asked_.size() >= kMaxAsked)
        return log::warning("", cat({parameter_,
                                     ": too many questions about records at once: "
                                     "nothing is told of ",
                                     *name}));
    attempt.domain = *name;
    auto id = std::make_shared<dns::AsyncResolver::Id>();
    *id = resolver_.resolve(cat({"_smtp._tls.", *name}), dns::RecordType::txt, dns_timeout_,
                            [this, id](const dns::AnswerLookup& answer) {
                                const auto asked = asked_.extract(*id);
                                if (!asked.empty()) on_answer(asked.mapped(), answer);
                            });
    asked_.emplace(*id, std::move(attempt));
}

void TlsReports::on_answer(const TlsAttempt& attempt, const dns::AnswerLookup& answer) {
    if (answer.failed())
        return log::info("", cat({parameter_, ": nothing is told of ", attempt.domain, ": ",
                                  answer.error().what}));
    const std::string record = answer.found() ? report_record(answer->records) : std::string();
    if (!record.empty()) send(report_text(attempt, record));
}

void TlsReports::send(const std::string& text) {
    if (auto sent = sys::send_datagram(socket_, text); !sent)
        log::warning("", cat({parameter_, ": ", sent.error().what}));
}

}  // namespace postern::forwarder
