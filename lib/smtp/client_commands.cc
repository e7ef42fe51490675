// The commands of a transaction, and how many of them may be under way. See client_session.h.
#include "lib/base/strings.h"

#include "lib/smtp/client_session.h"

namespace postern::smtp {

void ClientSession::send(Verb verb, std::initializer_list<std::string_view> words,
                         std::size_t recipient) {
    for (std::string_view word : words) output_ += word;
    output_ += "\r\n";
    expected_.push_back({verb, recipient});
}

void ClientSession::send_ehlo() {
    if (options_.lmtp) {
        send(Verb::lhlo, {"LHLO ", options_.helo_name});  // RFC 2033 4.1
    } else {
        send(Verb::ehlo, {"EHLO ", options_.helo_name});  // RFC 5321 4.1.1.1
    }
}

void ClientSession::send_mail() {
    std::string parameters;
    if (extensions_.size && transaction_.size > 0) {
        parameters += cat({" SIZE=", std::to_string(transaction_.size)});  // RFC 1870 5
    }
    if (extensions_.eight_bit_mime && transaction_.body_8bit) {
        parameters += " BODY=8BITMIME";  // RFC 6152 3
    }
    if (options_.dummy_mail_auth && !extensions_.auth.empty())
        parameters += " AUTH=<>";  // RFC 4954 5: nobody vouches for who sent it
    if (extensions_.smtputf8 && transaction_.smtputf8) parameters += " SMTPUTF8";  // RFC 6531 3.4
    if (extensions_.mt_priority && transaction_.priority != 0)
        parameters += cat({" MT-PRIORITY=", std::to_string(transaction_.priority)});  // RFC 6710 5
    if (extensions_.dsn) {
        // RFC 3461 5.2.1
        if (!transaction_.ret.empty()) parameters += cat({" RET=", transaction_.ret});
        if (!transaction_.envid.empty()) parameters += cat({" ENVID=", transaction_.envid});
    }
    send(Verb::mail, {"MAIL FROM:<", transaction_.sender, ">", parameters});
    mail_sent_ = true;
}

void ClientSession::send_rcpt(std::size_t recipient) {
    const ClientRecipient& to = transaction_.recipients[recipient];
    std::string parameters;
    if (extensions_.dsn) {
        if (!to.notify.empty()) parameters += cat({" NOTIFY=", to.notify});
        if (!to.orcpt.empty()) parameters += cat({" ORCPT=", to.orcpt});
    }
    send(Verb::rcpt, {"RCPT TO:<", to.address, ">", parameters}, recipient);
}

// Sends what may be sent now: with PIPELINING all up to DATA at once (RFC 2920 3.1), otherwise one
// command when the one before is answered.
ClientSession::Step ClientSession::send_more() {
    while (pipelining() || expected_.empty()) {
        if (needs_reset_ && !mail_sent_) {
            needs_reset_ = false;
            send(Verb::rset, {"RSET"});
        } else if (!mail_sent_ && !xforward_.empty()) {
            send(Verb::xforward, {"XFORWARD ", xforward_.front()});
            xforward_.erase(xforward_.begin());
        } else if (!mail_sent_) {
            send_mail();
        } else if (next_recipient_ < progress_.size()) {
            std::size_t recipient = next_recipient_++;
            if (!progress_[recipient].decided) send_rcpt(recipient);
        } else if (!data_sent_ && (!transaction_.probe || options_.probe_at_data) &&
                   (accepted_count() > 0 || (pipelining() && !expected_.empty()))) {
            data_sent_ = true;
            send(Verb::data, {"DATA"});
        } else {
            break;
        }
    }
    return expected_.empty() ? end_transaction() : Step::wait;
}

}  // namespace postern::smtp
