#include "auth/auth_service.h"

#include <utility>

#include "lib/base/client_range.h"
#include "lib/base/strings.h"
#include "lib/crypto/secret.h"
#include "lib/log/log.h"
#include "lib/service/client_networks.h"

namespace postern::auth {

// One connection: packets in order, one question under way.
class AuthService::Conversation : public std::enable_shared_from_this<Conversation> {
  public:
    Conversation(AuthService& service, Fd socket, bool may_redeem)
        : service_(service),
          may_redeem_(may_redeem),
          delay_(service.loop_, [this] { send_delayed(); }),
          channel_(service.loop_, std::move(socket),
                   {[this](ipc::Packet packet) { on_packet(std::move(packet)); },
                    [this](Error) { service_.end(this); }}) {}

  private:
    void on_packet(ipc::Packet packet) {
        if (packet.descriptor_count() != 0 || busy_) return service_.end(this);
        if (packet.type() == ipc::AuthRequest::kType) return ask(packet);
        if (packet.type() == ipc::AuthResponse::kType && exchange_) return respond(packet);
        if (packet.type() == ipc::UserRequest::kType)
            return reply<ipc::UserRequest>(packet, [this](const auto& request) {
                return may_redeem_ ? service_.located(request) : service_.known(request);
            });
        if (packet.type() == ipc::RedeemToken::kType && may_redeem_)
            return reply<ipc::RedeemToken>(
                packet, [this](const auto& request) { return service_.redeem(request); });
        log::warning(packet.trace(), "unexpected message from a client of auth");
        service_.end(this);
    }

    // A new request drops an exchange that the client gave up.
    void ask(const ipc::Packet& packet) {
        auto request = packet.as<ipc::AuthRequest>();
        if (!request) return service_.end(this);
        busy_ = true;
        client_ = service_.client_of(request->client_address);
        session_ = request->session.str();
        held_ = false;
        exchange_ = Exchange::make(service_.backend_, *request);
        crypto::wipe(request->response);
        const auto exchange = exchange_;  // its answer may end it
        exchange->begin(answered());
    }

    void respond(const ipc::Packet& packet) {
        auto response = packet.as<ipc::AuthResponse>();
        if (!response) return service_.end(this);
        busy_ = true;
        const auto exchange = exchange_;  // likewise
        exchange->respond(std::move(response->response), answered());
    }

    Exchange::Done answered() {
        return [weak = weak_from_this()](ipc::AuthAnswer a) {
            if (auto self = weak.lock()) self->on_answer(std::move(a));
        };
    }

    // Failures are held back: guessing costs time. Where there were some before, any answer is, so
    // that haste does not tell who was right; of several answers the first after the name is known.
    void on_answer(ipc::AuthAnswer a) {
        const bool failed = a.outcome == ipc::AuthOutcome::failure;
        if (a.outcome != ipc::AuthOutcome::challenge) exchange_.reset();
        Millis wait = hold(a.user);
        note(a);
        if (failed) wait += service_.options_.failure_delay;
        delayed_ = std::move(a);
        if (wait > Millis{0}) return delay_.start(wait);
        send_delayed();
    }

    Millis hold(const std::string& user) {
        if (client_.empty() || user.empty() || std::exchange(held_, true)) return Millis{0};
        const auto wait = service_.failures_.delay(client_, user, service_.loop_.clock().steady());
        if (wait > Millis{0})
            log::info(session_, cat({"user=<", printable(user, 100), ">, client=[", client_,
                                     "]: answer is held back for ", std::to_string(wait.count()),
                                     " ms after failures (auth_failure_delay_limit)"}));
        return wait;
    }

    void note(const ipc::AuthAnswer& a) {
        if (client_.empty() || a.user.empty()) return;
        if (a.outcome == ipc::AuthOutcome::failure)
            service_.failures_.failed(client_, a.user, service_.loop_.clock().steady());
        if (a.outcome == ipc::AuthOutcome::success) service_.failures_.succeeded(client_, a.user);
    }

    void send_delayed() {
        busy_ = false;
        send(delayed_);
    }

    template <class Request, class Answer>
    void reply(const ipc::Packet& packet, Answer make_answer) {
        const auto request = packet.as<Request>();
        if (!request) return service_.end(this);
        send(make_answer(*request));
    }

    template <class Message>
    void send(const Message& message) {
        if (!channel_.send(message)) service_.end(this);
    }

    AuthService& service_;
    bool may_redeem_;
    bool busy_ = false;
    std::shared_ptr<Exchange> exchange_;  // while it goes on
    std::string client_;                  // as it is counted; empty: it is not
    std::string session_;
    bool held_ = false;  // for the failures before
    ipc::AuthAnswer delayed_;
    loop::Timer delay_;
    ipc::LoopChannel channel_;
};

AuthService::AuthService(loop::Loop& loop, Options options, Random& random,
                         std::function<void()> session_ended)
    : loop_(loop),
      options_(std::move(options)),
      users_(options_.users),
      tokens_(loop.clock(), random, options_.token_lifetime),
      resume_(options_.resume_key.empty() ? random.bytes(ipc::kSessionKeySize)
                                          : options_.resume_key),
      pool_(loop, options_.workers),
      token_checker_(loop, options_.bearer),
      backend_{users_,
               tokens_,
               pool_,
               random,
               token_checker_,
               options_.salt_key.empty() ? random.bytes(ipc::kSessionKeySize) : options_.salt_key,
               options_.drops_domain},
      failures_(options_.failures),
      session_ended_(std::move(session_ended)) {}

AuthService::~AuthService() = default;

void AuthService::serve(Fd socket, bool may_redeem) {
    auto conversation = std::make_shared<Conversation>(*this, std::move(socket), may_redeem);
    conversations_.emplace(conversation.get(), conversation);
}

void AuthService::end(Conversation* conversation) {
    const auto at = conversations_.find(conversation);
    if (at == conversations_.end()) return;
    // It may be at work further up on the stack: let go of it on the next turn.
    loop_.post([kept = at->second] {});
    conversations_.erase(at);
    session_ended_();
}

// What is counted for an address: nothing for those that are excepted.
std::string AuthService::client_of(const std::string& address) const {
    const auto ip = IpAddress::parse(address);
    if (!ip) return {};
    if (service::is_in(options_.failure_exceptions, *ip)) return {};
    return client_range(ip->unmapped().str(), options_.v4_bits, options_.v6_bits);
}

ipc::UserAnswer AuthService::known(const ipc::UserRequest& request) {
    const auto found = users_.exists(request.user);
    if (found.failed()) {
        log::warning("", found.error().what);
        return {ipc::UserOutcome::temporary};
    }
    return {found.found() ? ipc::UserOutcome::known : ipc::UserOutcome::unknown};
}

// For local: where to deliver. Where the entry makes no sense nobody can tell, and mail waits.
ipc::UserAnswer AuthService::located(const ipc::UserRequest& request) {
    auto found = users_.locate(request.user);
    if (found.failed()) {
        log::warning("", found.error().what);
        return {ipc::UserOutcome::temporary};
    }
    if (found.not_found()) return {ipc::UserOutcome::unknown};
    return {ipc::UserOutcome::known, found->name, found->uid, found->gid, found->home,
            found->mailbox, found->quota_rule.substr(0, ipc::kMaxQuotaRule),
            found->inbox_file};
}

// A token of a login is good once; that of a session which was hibernated as long as the session.
std::optional<std::string> AuthService::user_of(const ipc::RedeemToken& request) {
    if (request.token.size() > ipc::kAuthTokenSize)
        return resume_.redeem(request.token, request.session, request.protocol);
    return tokens_.redeem(request.token, request.session, request.protocol);
}

ipc::Grant AuthService::redeem(const ipc::RedeemToken& request) {
    ipc::Grant grant;
    grant.session = request.session;
    const auto name = user_of(request);
    if (!name) {
        log::warning(request.session.str(),
                     "a token was presented that is not good for this session");
        return grant;
    }
    auto user = users_.find(*name);
    if (!user.found()) {
        log::warning(request.session.str(),
                     cat({"user ", *name, ": ", user.failed() ? user.error().what : "has gone"}));
        return grant;
    }
    grant.ok = true;
    grant.user = user->name;
    grant.uid = user->uid;
    grant.gid = user->gid;
    grant.home = user->home;
    grant.mailbox = user->mailbox;
    grant.inbox_file = user->inbox_file;
    grant.groups = user->groups.substr(0, ipc::kMaxText);
    grant.quota_rule = user->quota_rule.substr(0, ipc::kMaxQuotaRule);
    if (request.protocol == ipc::AuthProtocol::imap) {
        grant.resume_token = resume_.token(user->name, request.session, request.protocol);
        grant.session_key = resume_.session_key(user->name, request.session);
    }
    return grant;
}

}  // namespace postern::auth
