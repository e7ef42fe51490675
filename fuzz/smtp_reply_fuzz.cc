// Server bytes into the SMTP client engine. The first byte chooses the kind of session; a zero byte in
// the input stands for "the driver has done what the last step asked for".
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "lib/base/check.h"

#include "lib/smtp/client_session.h"

namespace {

using postern::smtp::ClientSession;
using Step = ClientSession::Step;

Step obey(ClientSession& session, Step step) {
    if (step == Step::start_tls) return session.on_tls(true);
    if (step == Step::send_body) return session.on_body_sent();
    if (!session.reusable()) return Step::wait;
    postern::smtp::ClientTransaction transaction;
    transaction.sender = "s@x.test";
    transaction.recipients = {{"a@y.test", "", ""}, {"b@y.test", "", ""}};
    transaction.size = 100;
    return session.start(transaction);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    postern::smtp::ClientOptions options;
    options.lmtp = data[0] & 1;
    options.pipelining = data[0] & 2;
    options.tls = data[0] & 4 ? postern::smtp::TlsLevel::may : postern::smtp::TlsLevel::none;
    ClientSession session(options, {"mx.test", "192.0.2.1", 25});
    std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
    Step step = session.on_connected();
    while (step != Step::failed && step != Step::close) {
        std::size_t end = rest.find('\0');
        step = session.on_input(rest.substr(0, end));
        if (step == Step::finished) {
            for (const auto& outcome : session.outcomes()) POSTERN_CHECK(!outcome.verdict.status.empty());
        }
        session.take_output();
        if (end == std::string_view::npos) break;
        rest.remove_prefix(end + 1);
        if (step == Step::finished && !session.reusable()) break;
        if (step != Step::failed) step = obey(session, step);
    }
    session.on_lost();
    return 0;
}
