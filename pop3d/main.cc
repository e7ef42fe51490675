// pop3d: serves one logged-in POP3 user per process, as that user.
#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/mailbox/foreign.h"
#include "lib/mailbox/store.h"
#include "lib/pop3/uidl.h"
#include "lib/service/sasl_mechanisms.h"
#include "lib/service/service.h"
#include "lib/service/user_session.h"

#include "pop3d/mail_session.h"

namespace postern::pop3d {
namespace {

constexpr std::size_t kMaxSizeList = 64 << 20;
constexpr std::string_view kCannotOpen =
    "-ERR [SYS/TEMP] The mailbox cannot be opened, try again later.\r\n";
// RFC 2449 8.1.1
constexpr std::string_view kInUse =
    "-ERR [IN-USE] The mailbox is in use by another POP3 session.\r\n";

// Clients that left their mail on Courier's server do not fetch it again.
mailbox::UidlByBase uidls_of_courier(const std::string& maildir) {
    const auto text = mailbox::read_small_file(sys::RealFs::instance(),
                                               maildir + "/courierpop3dsizelist", kMaxSizeList);
    if (text) return mailbox::parse_courier_pop3(*text);
    if (text.error().code != Errc::not_found)
        log::warning("", text.error().what + ": unique ids are not taken over from it");
    return {};
}

class Service final : public service::Forked {
  public:
    explicit Service(const service::Context& context)
        : config_(context.config), mechanisms_(service::sasl_mechanisms(context.config)) {}

    void serve(ipc::Channel channel) override {
        auto user = service::accept_user_session(channel, ipc::AuthProtocol::pop3, config_);
        if (!user) return log::warning("", user.error().what);
        const std::string trace = user->handoff.session.str();
        const std::string who =
            cat({"user=<", user->grant.user, ">, client=[", user->handoff.client_address, "]: "});
        ClientStream stream(std::move(user->client), std::move(user->stop));
        auto done = serve_user(stream, *user);
        if (done) return log::info(trace, who + *done);
        const bool in_use = done.error().code == Errc::timeout;
        if (in_use)
            log::info(trace, who + "Disconnected: another POP3 session has the mailbox");
        else
            log::warning(trace, who + done.error().what);
        // The client does not know yet that it is logged in.
        (void)stream.write(in_use ? kInUse : kCannotOpen, Seconds{5}).has_value();
    }

  private:
    Result<std::string> serve_user(ClientStream& stream, service::UserSession& user) {
        TRY_ASSIGN(auto store, mailbox::Store::open(user.grant.mailbox));
        TRY(service::restrict_to_home(user.grant.home, user.grant.mailbox, user.grant.inbox_file));
        if (!user.grant.inbox_file.empty()) {
            TRY_ASSIGN(const auto rules,
                       mailbox::parse_locks(join(config_.get(param::mailbox_delivery_lock), " ")));
            store.set_mbox_inbox(user.grant.inbox_file, rules);
        }
        store.set_quota(mailbox::limits_or_none(user.grant.quota_rule, user.grant.user));
        TRY_ASSIGN(const auto inbox, store.mailbox("INBOX"));
        TRY_ASSIGN(const auto lock, lock_maildrop(inbox));
        TRY_ASSIGN(const auto view, inbox.open(mailbox::Access::read_write));
        Options options;
        options.idle_timeout = config_.get(param::pop3_idle_timeout);
        options.uidl_format = config_.get(param::pop3_uidl_format);
        options.capabilities = capabilities(user.handoff.secured);
        options.trace = user.handoff.session.str();
        options.known_uidls = uidls_of_courier(user.grant.mailbox);
        if (!pop3::format_uidl(options.uidl_format, 1, 1, "x")) {
            log::warning("", cat({"pop3_uidl_format: \"", printable(options.uidl_format, 100),
                                  "\" is no format of unique ids; the default is used"}));
            options.uidl_format = Options{}.uidl_format;
        }
        return MailSession(stream, *view, options, std::move(user.handoff.pending)).run().str();
    }

    // What login has told, as far as that can be known here.
    pop3::Capabilities capabilities(bool secured) const {
        const bool in_clear = secured || !config_.get(param::disable_plaintext_auth);
        const auto delay =
            std::chrono::duration_cast<Seconds>(Millis(config_.get(param::pop3_login_delay)));
        std::vector<std::string> names;
        for (const auto name : mechanisms_.offered(in_clear, {.channel_binding = secured}))
            names.emplace_back(name);
        return {static_cast<std::uint32_t>(delay.count()), in_clear && mechanisms_.has_passwords(),
                join(names, " ")};
    }

    const config::Config& config_;
    sasl::Mechanisms mechanisms_;
};

Result<std::unique_ptr<service::Forked>> make(const service::Context& context) {
    return std::unique_ptr<service::Forked>(std::make_unique<Service>(context));
}

}  // namespace
}  // namespace postern::pop3d

int main(int argc, char** argv) {
    return postern::service::run_forking(argc, argv, postern::pop3d::make);
}
