#include "pickup/notice.h"

#include "lib/base/strings.h"

namespace postern::pickup {
namespace {

constexpr std::size_t kMaxHeader = 20'000;
constexpr std::size_t kMaxListed = 100;

std::string_view header_of(std::string_view content) {
    const std::size_t end = content.find("\r\n\r\n");
    const std::string_view header = content.substr(0, end == std::string_view::npos ? 0 : end + 2);
    return header.size() <= kMaxHeader ? header : std::string_view();
}

}  // namespace

std::string refusal_notice(const Options& options, const Dropped& dropped, const Verdict& verdict,
                           const std::string& recipient) {
    std::string out = cat(
        {"From: MAILER-DAEMON@", options.myhostname, " (Mail Delivery System)\r\nTo: ", recipient,
         "\r\nSubject: Undelivered Mail Returned to Sender\r\nAuto-Submitted: auto-replied\r\n"
         "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
         "Content-Transfer-Encoding: 8bit\r\n\r\n"});
    out += cat({"This is the mail system at host ", options.myhostname, ".\r\n\r\n",
                "I'm sorry to have to inform you that your message could not be\r\nsent. The "
                "reason:\r\n\r\n    ",
                verdict.status, " ", verdict.text, "\r\n\r\nIts recipients were:\r\n\r\n"});
    const auto& recipients = dropped.envelope.recipients;
    for (std::size_t i = 0; i < recipients.size() && i < kMaxListed; ++i)
        out += cat({"    <", recipients[i], ">\r\n"});
    if (recipients.size() > kMaxListed)
        out += cat({"    and ", std::to_string(recipients.size() - kMaxListed), " more\r\n"});
    const std::string_view header = header_of(dropped.content);
    if (!header.empty()) out += cat({"\r\nThe header of your message:\r\n\r\n", header});
    return out;
}

}  // namespace postern::pickup
