#include "forwarder/service.h"

#include <utility>

#include "lib/base/strings.h"
#include "lib/ipc/messages/bounce.h"
#include "lib/log/log.h"
#include "lib/sys/file.h"

namespace postern::forwarder {
namespace {

constexpr std::size_t kMaxIdle = 32;  // connections of qmgr's without a request

}  // namespace

Result<std::unique_ptr<service::LoopService>> ForwarderService::create(
    const service::LoopContext& context) {
    // Started as "lmtp", or by a service of that name, the same program speaks LMTP.
    bool lmtp = context.program == "lmtp";
    TRY_ASSIGN(Options options, Options::from(context.config, lmtp, context.keys));
    if (options.search.bare_names || options.search.all_names) {
        constexpr std::size_t kLargest = 64 << 10;
        auto text = sys::read_file(options.resolver.resolv_conf, kLargest);
        if (!text && text.error().code != Errc::not_found) return std::move(text).error();
        if (text) options.search.domains = dns::search_domains(*text);
    }
    TRY_ASSIGN(auto resolver, dns::LoopResolver::make(context.loop, options.resolver));
    auto made =
        std::make_unique<ForwarderService>(context, std::move(options), std::move(resolver));
    TRY(made->tls_.problem());
    return std::unique_ptr<service::LoopService>(std::move(made));
}

ForwarderService::ForwarderService(const service::LoopContext& context, Options options,
                                   std::unique_ptr<dns::AsyncResolver> resolver)
    : context_(context),
      options_(std::move(options)),
      resolver_(std::move(resolver)),
      reply_filter_(table::Maps::open(options_.reply_filter_dns)),
      tls_(options_.tls),
      passwords_(options_.sasl),
      outgoing_(options_.outgoing),
      finder_(context.loop, wrapped_resolver(), options_, SystemRandom::instance()),
      pool_(context.loop, options_),
      tools_{context.loop, options_, finder_, pool_, tls_, passwords_, outgoing_},
      postmaster_(context.loop, cat({"private/", options_.bounce_service})) {
    if (!options_.tls_report_socket.empty()) {
        reports_.emplace(*resolver_, options_.tls_report_socket,
                         options_.lmtp ? "lmtp_tlsrpt_socket_name" : "smtp_tlsrpt_socket_name",
                         options_.dns);
        tools_.reports = &*reports_;
    }
    pool_.on_trouble([this](const std::string& peer, const std::string& transcript) {
        tell_postmaster(peer, transcript);
    });
}

// The resolver with its reply filter and search domains.
dns::AsyncResolver& ForwarderService::wrapped_resolver() {
    dns::AsyncResolver* outermost = resolver_.get();
    if (!reply_filter_.empty()) {
        filtered_ = std::make_unique<dns::FilteredResolver>(
            *outermost, [this](const std::string& record) { return reply_filter_.find(record); });
        outermost = filtered_.get();
    }
    if (!options_.search.domains.empty()) {
        searching_ = std::make_unique<dns::SearchResolver>(*outermost, options_.search);
        outermost = searching_.get();
    }
    return *outermost;
}

void ForwarderService::tell_postmaster(const std::string& peer, const std::string& transcript) {
    constexpr Millis kNoticeWait{120'000};
    ipc::PostmasterNotice notice{options_.lmtp ? "LMTP client" : "SMTP client",
                                 printable(peer, ipc::kMaxName), transcript};
    ++telling_;
    postmaster_.call<ipc::BounceDone>(
        notice, kNoticeWait, [this, peer](const Result<ipc::BounceDone>& answer) {
            --telling_;
            if (answer && answer->ok) return;
            log::warning("", cat({"postmaster notification of a session with ", peer,
                                  " not sent: ", answer ? answer->text : answer.error().what}));
        });
}

void ForwarderService::on_connection(Fd socket) {
    const std::uint64_t number = next_number_++;
    ipc::LoopChannel::Handler handler;
    handler.on_packet = [this, number](ipc::Packet packet) {
        on_request(number, std::move(packet));
    };
    handler.on_closed = [this, number](const Error&) { on_hangup(number); };
    conversations_[number].channel =
        std::make_unique<ipc::LoopChannel>(context_.loop, std::move(socket), std::move(handler));
}

void ForwarderService::on_request(std::uint64_t number, ipc::Packet packet) {
    Conversation& conversation = conversations_.at(number);
    if (conversation.delivery) return;  // one at a time
    auto request = packet.as<ipc::DeliverRequest>();
    if (!request || packet.descriptor_count() != 1 || request->recipients.empty()) {
        log::warning("", cat({"delivery request refused: ",
                              request ? "no recipients or no file" : request.error().what}));
        return end(number);
    }
    if (!std::exchange(conversation.is_session, true)) {
        --idle_;
        context_.session_began();
    }
    std::string id = request->queue_id.str();
    const auto delivery = std::make_shared<Delivery>(
        tools_, *std::move(request), packet.take_descriptor(),
        [this, number, id = std::move(id)](const ipc::DeliverReport& report) {
            on_report(number, report, id);
        });
    conversation.delivery = delivery;
    delivery->begin();
}

void ForwarderService::on_report(std::uint64_t number, const ipc::DeliverReport& report,
                                 const std::string& id) {
    Conversation& conversation = conversations_.at(number);
    // It is the delivery that calls: it goes when it has returned.
    context_.loop.post([over = std::move(conversation.delivery)] {});
    if (!conversation.channel) return end(number);
    const bool go_on = !draining_ && idle_ < kMaxIdle;
    const auto sent = conversation.channel->answer(report, id, go_on);
    if (!sent) log::warning(id, cat({"report not sent: ", sent.error().what}));
    if (!sent || !go_on) return end(number);
    conversation.is_session = false;
    ++idle_;
    context_.session_ended();
}

void ForwarderService::on_hangup(std::uint64_t number) {
    Conversation& conversation = conversations_.at(number);
    if (!conversation.delivery) return end(number);
    conversation.channel.reset();
}

void ForwarderService::end(std::uint64_t number) {
    const auto ended = conversations_.extract(number);
    if (ended.mapped().is_session)
        context_.session_ended();
    else
        --idle_;
}

void ForwarderService::drain() {
    draining_ = true;
    pool_.drain();
    std::erase_if(conversations_, [](const auto& each) { return !each.second.is_session; });
    idle_ = 0;
}

}  // namespace postern::forwarder
