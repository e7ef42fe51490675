// A client that says anything: the first byte chooses the options and answers, the rest is what
// arrives. Lines go to the server engine, content to the DATA decoder, as smtpd does it.
#include <algorithm>
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
        // An LF alone becomes two bytes.
        POSTERN_CHECK(step.consumed <= input.size() && step.content.size() <= step.consumed + 1);
        input.remove_prefix(step.consumed);
        switch (step.kind) {
            case DataDecoder::Kind::content: POSTERN_CHECK(step.consumed > 0); continue;
            case DataDecoder::Kind::need_more: return false;
            case DataDecoder::Kind::end:
                end = decoder.saw_bare_lf() ? ContentEnd::bare_lf : ContentEnd::complete;
                return true;
        }
    }
}

// The content that begins here, taken byte by byte: where it ends, and what it is, does not depend
// on how it arrives, and its lines end in CR LF.
void compare_portions(std::string_view input, DataDecoder::Client client) {
    std::string contents[2], waiting;
    std::size_t left[2] = {input.size(), input.size()};
    bool ended[2] = {false, false};
    for (const std::size_t which : {std::size_t{0}, std::size_t{1}}) {
        DataDecoder decoder(client);
        waiting.clear();
        std::string_view rest = input;
        const std::size_t portion = which == 0 ? input.size() : 1;
        for (;;) {
            const auto step = decoder.next(waiting);
            contents[which] += step.content;
            waiting.erase(0, step.consumed);
            if (step.kind == DataDecoder::Kind::content) continue;
            ended[which] = step.kind == DataDecoder::Kind::end;
            if (ended[which] || rest.empty()) break;
            waiting += rest.substr(0, portion);
            rest.remove_prefix(std::min(portion, rest.size()));
        }
        left[which] = waiting.size() + rest.size();
        for (auto lf = contents[which].find('\n'); lf != std::string::npos;
             lf = contents[which].find('\n', lf + 1))
            POSTERN_CHECK(lf > 0 && contents[which][lf - 1] == '\r');
    }
    POSTERN_CHECK(contents[0] == contents[1] && ended[0] == ended[1] && left[0] == left[1]);
    const auto taken = input.substr(0, input.size() - left[0]);
    POSTERN_CHECK(!ended[0] || client == DataDecoder::Client::lf_only || taken == ".\r\n" ||
                  taken.ends_with("\r\n.\r\n"));
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
    if (input.size() < 4096) {
        compare_portions(input, DataDecoder::Client::any);
        compare_portions(input, DataDecoder::Client::lf_only);
    }
    ServerOptions options;
    options.auth_enabled = (flags & 1) != 0;
    options.tls_available = (flags & 2) != 0;
    options.tls_required = (flags & 4) != 0;
    options.ask_early = (flags & 8) != 0;
    options.ask_data = options.ask_end_of_data = (flags & 16) != 0;
    options.dsn = (flags & 32) != 0;
    const Answer answer = (flags & 64) != 0 ? Answer::refuse(450, "4.1.1", "no") : Answer::accept();
    ServerSession session(options);
    session.set_mechanisms("PLAIN SCRAM-SHA-256", "PLAIN SCRAM-SHA-256-PLUS SCRAM-SHA-256");
    session.set_rules({.xclient = options.dsn,
                       .xforward = options.dsn,
                       .ask_early = options.ask_early,
                       .refuses_bare_newlines = options.tls_required,
                       .may_omit_cr = options.ask_data});
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
