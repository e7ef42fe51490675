#include "cleanup/service.h"

#include <unistd.h>

#include "lib/service/profiles.h"
#include "lib/sys/file.h"
#include "lib/sys/unix_socket.h"
#include "lib/sys/users.h"

namespace postern::cleanup {
namespace {

// What milter_header_checks(5) can do, and how the log names it.
constexpr content::Dialect kMilterDialect{
    .prefix = "milter_", .prepends = false, .noted_as = "milter-header-"};

constexpr Millis kSweepEvery{60'000};
constexpr Seconds kAbandonedAfter{3600};  // longer than any timeout of a submitter's client
constexpr std::size_t kDescriptorsPerMessage = 3;  // conversation, content, file
constexpr std::size_t kOtherDescriptors = 64;

}  // namespace

Result<std::unique_ptr<service::LoopService>> CleanupService::create(
    const service::LoopContext& context) {
    TRY_ASSIGN(const std::size_t descriptors, sys::raise_descriptor_limit());
    const std::size_t limit = descriptors > 2 * kOtherDescriptors
                                  ? (descriptors - kOtherDescriptors) / kDescriptorsPerMessage
                                  : 16;
    TRY_ASSIGN(const service::Identity network,
               service::identity_of(service::Account::net, context.config));
    // Without root all programs have our uid, and cannot be told apart.
    const auto network_uid = network.uid == ::geteuid() ? std::nullopt : std::optional(network.uid);
    TRY(Options::check(context.config));
    TRY_ASSIGN(const auto master, config::load_master(context.config.directory()));
    return std::unique_ptr<service::LoopService>(
        std::make_unique<CleanupService>(context, master, network_uid, limit));
}

CleanupService::CleanupService(const service::LoopContext& context,
                               const config::MasterFile& master, std::optional<uid_t> network_uid,
                               std::size_t session_limit)
    : context_(context),
      options_(Options::from(context.config)),
      network_uid_(network_uid),
      session_limit_(session_limit),
      nudger_(context.loop, options_.qmgr_socket),
      committer_(context.loop, sys::RealFs::instance(), options_,
                 [this](const QueueId& file) { nudger_.nudge(file); }),
      rewrite_(context.loop, options_.rewrite_socket, ipc::Client::Connections::kept),
      rules_(options_.checks),
      milter_rules_({options_.milter_header_checks, "", "", ""}, kMilterDialect),
      milters_(context.config, master),
      tools_{context.loop,
             sys::RealFs::instance(),
             context.loop.clock(),
             SystemRandom::instance(),
             options_,
             committer_,
             rewrite_,
             &rules_,
             milter_rules_.empty() ? nullptr : &milter_rules_,
             &milters_},
      sweeper_(context.loop, [this] { sweep(); }) {
    sweeper_.start(kSweepEvery);
}

void CleanupService::on_connection(Fd socket) {
    const auto peer = sys::peer_credentials(socket.get());
    const bool stranger = !peer || (network_uid_ && peer->uid == *network_uid_);
    const auto trust = stranger ? Trust::network_only : Trust::any_origin;
    const std::uint64_t number = ++last_number_;
    // The conversation calls this from inside itself: it lives until the next turn of the loop.
    conversations_[number] = std::make_unique<Conversation>(
        tools_, std::move(socket), trust,
        [this, number] { context_.loop.post([this, number] { ended(number); }); });
}

void CleanupService::ended(std::uint64_t number) {
    if (conversations_.erase(number) > 0) context_.session_ended();
}

void CleanupService::drain() {
    for (const auto& [number, conversation] : conversations_) conversation->drain();
}

void CleanupService::sweep() {
    const SteadyTime oldest = context_.loop.clock().steady() - kAbandonedAfter;
    for (const auto& [number, conversation] : conversations_)
        if (!conversation->committing() && conversation->last_activity() < oldest)
            conversation->hang_up();
    sweeper_.start(kSweepEvery);
}

}  // namespace postern::cleanup
