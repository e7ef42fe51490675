// sendmail -bs: an SMTP session on standard input and output, for mail programs that know no other
// way to hand over a message. What it takes goes the way of all local mail, into maildrop/;
// recipients are not looked up, as for any other local submission.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "lib/base/result.h"
#include "lib/queue/maildrop.h"
#include "lib/smtp/server_session.h"

#include "commands/submission.h"

namespace postern::commands {

// What the session lives on.
struct StandAloneDoors {
    std::function<Result<std::string>()> read;  // lines with CR LF; empty at the end
    std::function<Result<void>(std::string_view)> write;
    std::function<Result<std::unique_ptr<Submission>>()> open;
};

class StandAlone {
  public:
    // `defaults`: what the command line says about every message.
    StandAlone(std::string hostname, std::uint64_t size_limit, queue::MaildropEnvelope defaults,
               StandAloneDoors doors);

    // Until QUIT or the end of the input. Errors are those of reading and writing; what is wrong
    // with a message is said in the session.
    Result<void> run();

  private:
    Result<void> perform(smtp::Action action);
    Result<void> perform_one(smtp::Say& say) { return doors_.write(say.text); }
    Result<void> perform_one(smtp::Ask&);
    Result<void> perform_one(smtp::Authenticate&);
    Result<void> perform_one(smtp::StartTls&);
    Result<void> perform_one(smtp::Open&);
    Result<void> perform_one(smtp::ReadData& read);
    Result<void> perform_one(smtp::Commit&);
    Result<void> perform_one(smtp::Flush&);
    Result<void> perform_one(smtp::Impersonate&);
    Result<void> perform_one(smtp::Close& close);

    Result<void> take_line();
    Result<bool> more_input();  // false at the end
    Result<void> open_submission();
    Result<smtp::ContentEnd> take_content(std::uint64_t& size);
    void keep(std::string_view content);
    Result<void> finish();

    smtp::ServerOptions options_;
    const queue::MaildropEnvelope defaults_;
    StandAloneDoors doors_;
    smtp::ServerSession session_;
    std::string input_;
    bool over_ = false;

    // One message.
    queue::MaildropWriter writer_;
    std::unique_ptr<Submission> submission_;
    Result<void> kept_;  // how the writing went
};

}  // namespace postern::commands
