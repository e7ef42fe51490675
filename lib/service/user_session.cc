#include "lib/service/user_session.h"

#include <unistd.h>

#include <span>

#include "lib/base/strings.h"
#include "lib/crypto/seal.h"
#include "lib/sys/stop_signal.h"
#include "lib/sys/users.h"

namespace postern::service {
namespace {

constexpr Millis kHandoffWait{10'000};
constexpr Millis kRedeemWait{10'000};
constexpr const char* kAuthSocket = "private/postern-auth";

bool is_safe_path(std::string_view path) {
    if (!path.starts_with('/')) return false;
    for (const std::string_view part : split(path, '/'))
        if (part == "..") return false;
    return true;
}

Result<UserSession> receive_handoff(ipc::Channel& channel, ipc::AuthProtocol protocol) {
    TRY_ASSIGN(ipc::Packet packet, channel.receive_packet(Deadline::in(kHandoffWait)));
    UserSession session;
    TRY_ASSIGN(session.handoff, packet.as<ipc::Handoff>());
    if (packet.descriptor_count() != 2)
        return Error{Errc::invalid, "hand-off without its descriptors"};
    if (session.handoff.protocol != protocol)
        return Error{Errc::invalid, "hand-off for another protocol"};
    if (session.handoff.session.empty()) return Error{Errc::invalid, "hand-off without session id"};
    session.client = packet.take_descriptor(0);
    session.dismissal = packet.take_descriptor(1);
    return session;
}

Result<void> become(UserSession& session, const config::Config& config, const StateJudge& judge,
                    const Preparer& prepare) {
    const ipc::RedeemToken redeem{session.handoff.token, session.handoff.session,
                                  session.handoff.protocol};
    TRY_ASSIGN(session.grant, ipc::call<ipc::Grant>(kAuthSocket, redeem, Deadline::in(kRedeemWait),
                                                    session.handoff.session.str()));
    TRY(check_grant(session.grant, session.handoff.session,
                    static_cast<std::uint32_t>(config.get(param::first_valid_uid)), ::geteuid()));
    if (!session.handoff.state.empty()) {
        if (!judge) return Error{Errc::invalid, "hand-off with a state where none is possible"};
        TRY_ASSIGN(session.state, open_state(session.handoff, session.grant));
        TRY(judge(session.state));
    }
    const auto groups = prepare ? prepare(session.grant) : std::vector<gid_t>();
    return sys::become_user(session.grant.uid, session.grant.gid, std::span(groups));
}

}  // namespace

Result<void> check_grant(const ipc::Grant& grant, const SessionId& session,
                         std::uint32_t first_valid_uid, std::uint32_t own_uid) {
    if (!grant.ok) return Error{Errc::denied, "auth refused the token"};
    if (grant.session != session) return Error{Errc::denied, "grant is for another session"};
    if (grant.user.empty()) return Error{Errc::denied, "grant without user"};
    if (!is_safe_path(grant.home) || !is_safe_path(grant.mailbox))
        return Error{Errc::denied,
                     "grant for user " + grant.user + ": home or mailbox is not an absolute path"};
    if (!grant.inbox_file.empty() && !is_safe_path(grant.inbox_file))
        return Error{Errc::denied, "grant for user " + grant.user +
                                       ": mailbox_inbox_file is not an absolute path"};
    // An unprivileged instance serves everybody under its own uid, whatever that is; but nobody is
    // served as root.
    const bool already = grant.uid == own_uid && own_uid != 0;
    if (!already && (grant.uid == 0 || grant.uid < first_valid_uid))
        return Error{Errc::denied, cat({"grant for user ", grant.user, ": uid ",
                                        std::to_string(grant.uid), " is below first_valid_uid"})};
    if (!already && grant.gid == 0)
        return Error{Errc::denied, cat({"grant for user ", grant.user, ": gid 0"})};
    return {};
}

Result<std::string> open_state(const ipc::Handoff& handoff, const ipc::Grant& grant) {
    auto state = crypto::open_seal(grant.session_key, handoff.session.str(), handoff.state);
    if (!state) return std::move(state).error().within("state of a hibernated session");
    return state;
}

Result<UserSession> accept_user_session(ipc::Channel& channel, ipc::AuthProtocol protocol,
                                        const config::Config& config, const StateJudge& judge,
                                        const Preparer& prepare) {
    TRY_ASSIGN(UserSession session, receive_handoff(channel, protocol));
    TRY_ASSIGN(session.stop_signal, sys::stop_signal());
    TRY_ASSIGN(session.stop,
               sys::stop_or_dismissal(session.stop_signal.get(), session.dismissal.get()));
    auto became = become(session, config, judge, prepare);
    const ipc::HandoffAnswer answer{became.has_value(),
                                    became ? "" : became.error().what.substr(0, ipc::kMaxText),
                                    static_cast<std::uint32_t>(::getpid())};
    TRY(channel.send(answer, Deadline::in(kHandoffWait), session.handoff.session.str()));
    TRY(became);
    return session;
}

}  // namespace postern::service
