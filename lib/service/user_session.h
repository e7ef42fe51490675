// How imapd and pop3d come to their user (ARCHITECTURE.md, 9): login hands over a token and a
// descriptor; the token is redeemed at auth for a grant; the grant is checked; the process becomes
// the user. Everything before that reads two typed messages and nothing of the client.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "lib/base/fd.h"
#include "lib/base/result.h"
#include "lib/config/config.h"
#include "lib/ipc/channel.h"
#include "lib/ipc/messages/auth.h"
#include "lib/ipc/messages/login.h"

namespace postern::service {

struct UserSession {
    ipc::Handoff handoff;  // pending: the client's bytes that login had read already
    ipc::Grant grant;
    std::string state;  // of a session that hibernated, opened (ipc::Hibernate); empty: a new one
    Fd client;          // the client's socket, or the end of login's relay
    Fd stop;  // becomes readable when it shall end: say goodbye (lib/sys/stop_signal.h)
    Fd stop_signal, dismissal;  // what `stop` is made of
};

// In the child of a forking service. Receives the hand-off, redeems the token, becomes the user and
// tells login that it may let go. On an error login has been told, and the process shall end. The
// caller then opens the mailbox, calls restrict_to_home(grant.home, grant.mailbox) and serves.
// `judge` may refuse the state of a session that hibernated; without it such sessions are refused.
// `prepare`, still with the rights of the service: what must be asked before the process is the user;
// the supplementary groups that it shall have.
using Preparer = std::function<std::vector<gid_t>(const ipc::Grant& grant)>;
using StateJudge = std::function<Result<void>(const std::string& state)>;
Result<UserSession> accept_user_session(ipc::Channel& channel, ipc::AuthProtocol protocol,
                                        const config::Config& config, const StateJudge& judge = {},
                                        const Preparer& prepare = {});

// The state of a session that hibernated, when it was sealed by a process of this very session.
Result<std::string> open_state(const ipc::Handoff& handoff, const ipc::Grant& grant);

// May this grant be acted upon? The worker's own judgement: uid at least first_valid_uid (unless it
// is the uid that the process has already), absolute paths, the session that the hand-off was for.
Result<void> check_grant(const ipc::Grant& grant, const SessionId& session,
                         std::uint32_t first_valid_uid, std::uint32_t own_uid);

}  // namespace postern::service
