// Notices: transcripts on their way to the postmaster, after their sessions have ended.
#pragma once

#include <list>
#include <memory>
#include <string>

#include "smtpd/cleanup_links.h"
#include "smtpd/submission.h"
#include "smtpd/transcript.h"

namespace postern::smtpd {

struct NoticeOptions {
    Classes classes = 0;
    std::string recipient = "postmaster";
    std::string sender;  // double_bounce_sender, whole
    std::string mail_name = "Postern", myhostname = "localhost";
};

class Notices {
  public:
    Notices(CleanupLinks& links, const NoticeOptions& options) : links_(links), options_(options) {}

    // Submits it, when it is wanted. What cannot be submitted is logged and forgotten: it is told
    // of in the log anyway.
    void send(const Transcript& transcript, const std::string& client);

  private:
    struct Letter {
        std::string text;
        std::size_t written = 0;
        std::unique_ptr<Submission> submission;
    };
    using Place = std::list<Letter>::iterator;

    void write(Place letter);
    void over(Place letter, std::string_view problem, std::string_view queue_id);

    CleanupLinks& links_;
    const NoticeOptions& options_;
    std::list<Letter> letters_;
};

}  // namespace postern::smtpd
