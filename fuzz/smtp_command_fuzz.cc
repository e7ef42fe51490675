// A client that says anything: the first byte chooses the options and answers, the rest is what
// arrives. Lines go to the server engine, content to the DATA decoder, as smtpd does it.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "lib/base/check.h"
#include "lib/smtp/data_decoder.h"
#include "lib/smtp/server_session.h"

namespace {

using postern::smtp::Action;
using postern::smtp::Answer;
using postern::smtp::ContentEnd;
using postern::smtp::DataDecoder;
using postern::smtp::ServerOptions;
using postern::smtp::ServerSession;

// Reads content from the front of input; nothing when its end has not come.
bool read_content(std::string_view& input, ContentEnd& end) {
    DataDecoder decoder;
    for (;;) {
        const auto step = decoder.next(input);
        POSTERN_CHECK(step.consumed <= input.size() && step.content.size() <= step.consumed);
        input.remove_prefix(step.consumed);
        switch (step.kind) {
            case DataDecoder::Kind::content: POSTERN_CHECK(step.consumed > 0); continue;
            case DataDecoder::Kind::need_more: return false;
            case DataDecoder::Kind::end: end = ContentEnd::complete; return true;
            case DataDecoder::Kind::bare_lf: end = ContentEnd::bare_lf; return true;
            case DataDecoder::Kind::bare_cr: end = ContentEnd::bare_cr; return true;
        }
    }
}

// Carries out one action after the other until a line is wanted. False: the session is over.
bool perform(ServerSession& session, Action action, std::string_view& input, const Answer& answer) {
    using postern::smtp::Ask;
    using postern::smtp::Authenticate;
    using postern::smtp::AuthResult;
    using postern::smtp::Close;
    using postern::smtp::Open;
    using postern::smtp::ReadData;
    using postern::smtp::Say;
    using postern::smtp::StartTls;
    for (;;) {
        if (auto* say = std::get_if<Say>(&action)) {
            POSTERN_CHECK(say->text.ends_with("\r\n"));
            return true;
        }
        if (std::holds_alternative<Close>(action)) return false;
        if (std::holds_alternative<StartTls>(action)) {
            session.on_tls();
            return true;
        }
        if (std::holds_alternative<Ask>(action)) {
            action = session.on_answer(answer);
        } else if (std::holds_alternative<Authenticate>(action)) {
            action = session.on_auth(
                {answer.accepted ? AuthResult::Kind::success : AuthResult::Kind::failure, "u"});
        } else if (std::holds_alternative<Open>(action)) {
            action = session.on_opened(answer);
        } else if (std::holds_alternative<ReadData>(action)) {
            ContentEnd end = ContentEnd::complete;
            if (!read_content(input, end)) return false;
            action = session.on_content(end, 1);
        } else if (std::holds_alternative<postern::smtp::Impersonate>(action)) {
            action = session.greet();
        } else if (std::holds_alternative<postern::smtp::Flush>(action)) {
            action = session.on_flushed(postern::smtp::Flushed::begun);
        } else {
            action = session.on_committed(answer, "4cQ1");
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    std::string_view input(reinterpret_cast<const char*>(data + 1), size - 1);
    const unsigned flags = data[0];
    ServerOptions options;
    options.auth_enabled = (flags & 1) != 0;
    options.tls_available = (flags & 2) != 0;
    options.tls_required = (flags & 4) != 0;
    options.ask_early = (flags & 8) != 0;
    options.ask_data = options.ask_end_of_data = (flags & 16) != 0;
    options.dsn = (flags & 32) != 0;
    const Answer answer = (flags & 64) != 0 ? Answer::refuse(450, "4.1.1", "no") : Answer::accept();
    ServerSession session(options);
    session.set_rules(
        {.xclient = options.dsn, .xforward = options.dsn, .ask_early = options.ask_early});
    if (!perform(session, session.greet(), input, answer)) return 0;
    while (!session.too_many_errors()) {
        const auto end = input.find('\n');
        if (end == input.npos) break;
        auto line = input.substr(0, end);
        input.remove_prefix(end + 1);
        const bool proper = line.ends_with('\r') || (flags & 128) != 0;
        if (line.ends_with('\r')) line.remove_suffix(1);
        static_cast<void>(session.limited(line));
        if (!perform(session, session.on_line(line, proper), input, answer)) break;
    }
    static_cast<void>(session.summary());
    return 0;
}
