// The full-text index is filled here: in the background, in a process of its own that is the user
// as well, when a SEARCH had to read many messages for their text.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "lib/base/fd.h"
#include "lib/base/result.h"
#include "lib/mailbox/mailbox.h"

namespace postern::imapd {

// Not one's own folder in which others may write: Xapian goes by path, and would follow their links.
bool may_have_text_index(const mailbox::Mailbox& mailbox);
// Which folder the index of a mailbox is in: the mailbox's, or, where that is others', one in the
// user's own. What others could have written is not read as an index.
std::string text_index_folder(const mailbox::Mailbox& mailbox, std::uint32_t uid_validity);

// Adds what the index of a folder does not cover yet. Returns how many messages; 0 too when another
// process is at it. `stop`, asked before each message: true ends it, and what is not committed is
// lost.
Result<std::uint32_t> update_index(const mailbox::Mailbox& mailbox,
                                   const std::function<bool()>& stop);

// Who takes that work.
class Indexer {
  public:
    virtual ~Indexer() = default;
    // Returns at once.
    virtual void begin(const mailbox::Mailbox& mailbox) = 0;
    virtual bool is_running() const = 0;
};

// A child process for each, one at a time.
class BackgroundIndexer final : public Indexer {
  public:
    // `stop`: becomes readable when the system stops. `not_for_child`: descriptors of this session
    // that would keep the client connected.
    BackgroundIndexer(std::string trace, int stop, std::vector<int> not_for_child)
        : trace_(std::move(trace)), stop_(stop), not_for_child_(std::move(not_for_child)) {}

    void begin(const mailbox::Mailbox& mailbox) override;
    bool is_running() const override;
    // The session is over: waits a few seconds for the child, which otherwise keeps what it has
    // done and ends when this process has. The system's stop ends it at once.
    void finish();

  private:
    Result<void> start(const mailbox::Mailbox& mailbox);
    [[noreturn]] void be_child(const mailbox::Mailbox& mailbox, pid_t session) const;

    std::string trace_;
    int stop_;
    std::vector<int> not_for_child_;
    pid_t child_ = -1;
    Fd alive_;  // its other end is the child's: at its end, the child is gone
};

}  // namespace postern::imapd
