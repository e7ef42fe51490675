// Hibernation (DESIGN 12): a session that has sat in IDLE for a while gives its process up. What
// the next process must know is a SleepState; login keeps it, sealed, with the client. No list of
// messages is in it: the log of the folder tells what the old view was (View::resume).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/result.h"
#include "lib/ipc/channel.h"
#include "lib/ipc/messages/auth.h"
#include "lib/mailbox/mailbox.h"

namespace postern::imapd {

struct SleepState {
    static constexpr std::uint32_t kVersion = 2;
    static constexpr std::size_t kMaxNumbers = 300;  // UIDs in a list; with more it stays awake

    std::uint32_t version = kVersion;
    WallTime sealed_at;
    std::string tag;     // of the IDLE
    std::string folder;  // empty: none is selected
    bool read_only = false;
    mailbox::ViewState view;
    std::vector<std::uint32_t> saved_result;  // "$" of RFC 5182
    bool condstore = false, qresync = false, rev2 = false, utf8 = false, uid_only = false;
    std::uint64_t bytes_in = 0, bytes_out = 0;  // so far, for the log

    void attributes(auto& io);
};

// Errc::no_space: more than ipc::kMaxSleepingState.
Result<std::string> encode_state(SleepState state);
// Errc::invalid for another version's; Errc::denied for one older than `max_age`: a client that was
// silent for so long has been hung up on.
Result<SleepState> decode_state(std::string_view text, WallTime now, Millis max_age);

// Who takes a session that wants to sleep.
class Sleeper {
  public:
    virtual ~Sleeper() = default;
    // True: another process has the client from now on; not a byte more may be read or written.
    virtual bool sleep(const SleepState& state, int client, int watch, Millis silence_left) = 0;
};

// login, over the connection of the hand-off.
class LoginSleeper final : public Sleeper {
  public:
    LoginSleeper(ipc::Channel& login, ipc::Grant grant, Millis keepalive)
        : login_(login), grant_(std::move(grant)), keepalive_(keepalive) {}

    bool sleep(const SleepState& state, int client, int watch, Millis silence_left) override;

  private:
    ipc::Channel& login_;
    ipc::Grant grant_;
    Millis keepalive_;
};

}  // namespace postern::imapd
