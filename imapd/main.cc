// imapd: serves one logged-in user's IMAP session per process. login hands the client over; from
// then on this process is the user and sees nothing but the user's home.
#include <unistd.h>

#include <algorithm>

#include "imapd/namespaces.h"
#include "imapd/session.h"
#include "lib/base/strings.h"
#include "lib/imap/mailbox_name.h"
#include "lib/log/log.h"
#include "lib/service/service.h"
#include "lib/service/user_session.h"

namespace postern::imapd {
namespace {

// What is no folder's name is told where it is used.
std::vector<std::string> names_of_others(const config::Config& config) {
    std::vector<std::string> names;
    if (!config.get(param::mailbox_shared_dict).empty())
        names.push_back(imap::encode_mailbox_name(config.get(param::mailbox_shared_prefix)));
    for (const std::string& text : config.get(param::mailbox_public_folders))
        if (const auto mount = parse_public_folder(text)) names.push_back(mount->prefix);
    return names;
}

Result<FolderNames> folder_names(const config::Config& config) {
    const bool slash = config.get(param::mailbox_separator) == "/";
    auto names = FolderNames::make(slash ? '/' : '.', config.get(param::mailbox_prefix),
                                   names_of_others(config));
    if (!names) return std::move(names).error().within("mailbox_prefix");
    names->others.clear();  // a session has those of its user
    return names;
}

Options options_of(const config::Config& config, const std::string& trace) {
    Options options;
    options.idle_timeout = config.get(param::imap_idle_timeout);
    options.max_line = static_cast<std::size_t>(config.get(param::imap_max_line_length));
    options.max_message = static_cast<std::uint64_t>(config.get(param::message_size_limit));
    options.message_limit = static_cast<std::size_t>(config.get(param::imap_message_limit));
    options.save_limit = static_cast<std::size_t>(config.get(param::imap_save_limit));
    options.trace = trace;
    options.hibernate_after = config.get(param::imap_hibernate_timeout);
    return options;
}

// A client that is silent for longer than this is hung up on, asleep or not.
Millis oldest_state(const config::Config& config) {
    return config.get(param::imap_idle_timeout) + Millis{60'000};
}

// A session does without them.
void make_initial_folders(mailbox::Store& store, const FolderNames& style,
                          const config::Config& config, const std::string& trace) {
    std::vector<std::string> names;
    for (std::string name : config.get(param::mailbox_initial_folders)) {
        std::replace(name.begin(), name.end(), '_', ' ');
        names.push_back(*style.full_of_shown(imap::encode_mailbox_name(name), false));
    }
    if (auto made = store.make_initial_folders(names); !made)
        log::warning(trace, "mailbox_initial_folders: " + made.error().what);
}

SharingOptions sharing_options(const config::Config& config) {
    SharingOptions options;
    options.public_folders = config.get(param::mailbox_public_folders);
    options.dict = config.get(param::mailbox_shared_dict);
    options.users_prefix = config.get(param::mailbox_shared_prefix);
    return options;
}

Result<mailbox::Store> open_store(const service::UserSession& user, const Sharing& sharing,
                                  const FolderNames& names, const config::Config& config) {
    TRY_ASSIGN(mailbox::Store store, mailbox::Store::open(user.grant.mailbox));
    sharing.mount(store);
    TRY(service::restrict_to_home(user.grant.home, user.grant.mailbox, user.grant.inbox_file,
                                  sharing.paths(store)));
    if (!user.grant.inbox_file.empty()) {
        TRY_ASSIGN(const auto rules,
                   mailbox::parse_locks(join(config.get(param::mailbox_delivery_lock), " ")));
        store.set_mbox_inbox(user.grant.inbox_file, rules);
    }
    store.set_quota(mailbox::limits_or_none(user.grant.quota_rule, user.grant.user));
    make_initial_folders(store, names, config, user.handoff.session.str());
    return store;
}

// RFC 5530 3. The client does not know yet that it is logged in; one that has slept does.
void say_unavailable(Connection& connection, const service::UserSession& user) {
    constexpr std::string_view kTryLater = " The mailbox cannot be opened, try again later\r\n";
    std::string answer = cat({"* BYE", kTryLater});
    if (user.state.empty())
        answer = cat({user.handoff.tag, " NO [UNAVAILABLE]", kTryLater, answer});
    (void)connection.send(answer, Seconds{5}).has_value();
}

Result<void> serve_user(service::UserSession user, ipc::Channel& login, const Sharing& sharing,
                        const FolderNames& names, const config::Config& config) {
    const std::string trace = user.handoff.session.str();
    Connection connection(std::move(user.client), std::move(user.handoff.pending),
                          std::move(user.stop));
    auto store = open_store(user, sharing, names, config);
    if (!store) {
        say_unavailable(connection, user);
        return std::move(store).error().within(cat({"user=<", user.grant.user, ">"}));
    }
    Options options = options_of(config, trace);
    options.user = user.grant.user;
    options.names = names;
    options.groups = sharing.person().groups;
    options.shares = sharing.dict();
    LoginSleeper sleeper(login, user.grant, options.keepalive);
    options.sleeper = &sleeper;
    BackgroundIndexer indexer(trace, connection.stop_fd(), {connection.fd(), login.fd()});
    if (config.get(param::mailbox_full_text_index)) options.indexer = &indexer;
    // Now, as later it would not be known any more who shares what.
    if (user.state.empty() && sharing.knows_all())
        if (auto done = store->forget_absent_folders(); !done)
            log::warning(trace, done.error().what);
    Session session(connection, *store, options);
    std::string reason;
    if (user.state.empty()) {
        reason = session.run(user.handoff.tag);
    } else {
        TRY_ASSIGN(const SleepState state,
                   decode_state(user.state, SystemClock::instance().now(), oldest_state(config)));
        reason = session.resume(state);
    }
    if (session.hibernates()) {
        log::debug(trace, cat({"hibernates: user=<", user.grant.user, ">"}));
        return {};
    }
    connection.close();  // the client need not wait for what the mailbox has put off
    log::info(trace, cat({"disconnect: user=<", user.grant.user, ">, ", reason,
                          ", in=", std::to_string(connection.bytes_in()),
                          ", out=", std::to_string(connection.bytes_out())}));
    login.release().reset();  // the session is over, but not this process
    session.finish_work();
    indexer.finish();
    return {};
}

class Imapd final : public service::Forked {
  public:
    Imapd(const config::Config& config, FolderNames names)
        : config_(config), names_(std::move(names)) {}

    void serve(ipc::Channel channel) override {
        const auto judge = [this](const std::string& state) -> Result<void> {
            TRY(decode_state(state, SystemClock::instance().now(), oldest_state(config_)));
            return {};
        };
        Sharing sharing(sharing_options(config_));
        const auto prepare = [&](const ipc::Grant& grant) { return sharing.prepare(grant); };
        auto user =
            service::accept_user_session(channel, ipc::AuthProtocol::imap, config_, judge, prepare);
        auto done = user ? serve_user(std::move(*user), channel, sharing, names_, config_)
                         : Result<void>(std::move(user).error());
        if (!done) log::warning("", done.error().what);
    }

  private:
    const config::Config& config_;
    FolderNames names_;
};

}  // namespace
}  // namespace postern::imapd

int main(int argc, char** argv) {
    namespace service = postern::service;
    const auto make =
        [](const service::Context& context) -> postern::Result<std::unique_ptr<service::Forked>> {
        auto names = postern::imapd::folder_names(context.config);
        if (!names) return std::move(names).error();
        return std::unique_ptr<service::Forked>(
            std::make_unique<postern::imapd::Imapd>(context.config, *std::move(names)));
    };
    return service::run_forking(argc, argv, make);
}
