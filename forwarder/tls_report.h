// TlsReports: what became of TLS with a destination that wants to hear of it (TLSRPT, RFC 8460),
// told to a collector on this host: one datagram on a Unix socket for each attempt, in the form of
// the library libtlsrpt (doc/formats/tlsrpt.md). The collector makes the reports and sends them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/clock.h"
#include "lib/dns/resolver.h"

namespace postern::forwarder {

// RFC 8460 4.3, by the numbers of libtlsrpt.
enum class TlsFailure : std::uint16_t {
    none = 0,
    starttls_not_supported = 201,
    certificate_host_mismatch = 202,
    certificate_not_trusted = 203,
    validation_failure = 205,
    tlsa_invalid = 304,
    dnssec_invalid = 305,
    dane_required = 306
};

struct TlsAttempt {
    std::string domain;             // whose mail it was
    std::string tlsa_base;          // with DANE: the name of its records, and these
    std::vector<std::string> tlsa;  // as the DNS has them
    TlsFailure failure = TlsFailure::none;
    std::string server, server_address, own_address, why;
};

// The datagram; record: the destination's TXT record.
std::string report_text(const TlsAttempt& attempt, std::string_view record);
// Of the TXT records of _smtp._tls.DOMAIN the one that counts (RFC 8460 3); empty: none does.
std::string report_record(const std::vector<dns::Record>& records);

class TlsReports {
  public:
    // parameter: smtp_tlsrpt_socket_name or lmtp_tlsrpt_socket_name, for the log.
    TlsReports(dns::AsyncResolver& resolver, std::string socket, std::string parameter,
               Millis dns_timeout);
    ~TlsReports();

    // Asks whether the destination wants to hear of it; nobody waits for that.
    void tell(TlsAttempt attempt);

  private:
    void on_answer(const TlsAttempt& attempt, const dns::AnswerLookup& answer);
    void send(const std::string& text);

    dns::AsyncResolver& resolver_;
    const std::string socket_, parameter_;
    const Millis dns_timeout_;
    std::map<dns::AsyncResolver::Id, TlsAttempt> asked_;
};

}  // namespace postern::forwarder
