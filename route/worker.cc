#include "route/worker.h"

#include "lib/base/strings.h"
#include "lib/log/log.h"

namespace postern::route {
namespace {

constexpr Millis kPatience{100'000};  // for a peer's next request; peers close when they are done

ipc::AddressClass to_ipc(table::DomainClass domain_class) {
    switch (domain_class) {
        case table::DomainClass::local: return ipc::AddressClass::local;
        case table::DomainClass::virtual_alias: return ipc::AddressClass::virtual_alias;
        case table::DomainClass::virtual_mailbox: return ipc::AddressClass::virtual_mailbox;
        case table::DomainClass::relay: return ipc::AddressClass::relay;
        case table::DomainClass::other: break;
    }
    return ipc::AddressClass::other;
}

// A failure as the peer shall see it: reasons with file names stay in our log.
template <class Answer>
void set_failure(Answer& answer, const Error& error, std::string_view address) {
    if (error.code == Errc::permanent) {
        answer.outcome = ipc::LookupOutcome::permanent;
        answer.status = "5.1.3";
        answer.text = error.what;
        return;
    }
    log::warning("", error.what);
    answer.outcome = ipc::LookupOutcome::temporary;
    answer.status = "4.3.0";
    answer.text = "address resolver failure";
    log::debug("", std::string("failed for ") + std::string(address));
}

}  // namespace

Engine::Engine(Options options, Options probe_options)
    : options_(std::move(options)),
      probe_options_(std::move(probe_options)),
      classes_(options_.classes),
      rewriter_(options_, classes_),
      resolver_(options_, classes_, rewriter_),
      probe_resolver_(probe_options_, classes_, rewriter_),
      flush_sites_(table::MatchList::parse(options_.fast_flush_domains, options_.flush_parents)) {}

ipc::FlushSite Engine::flush_site(std::string_view recipient) {
    if (flush_sites_.empty()) return ipc::FlushSite::no;
    const auto found = flush_sites_.matches_name(recipient.substr(recipient.rfind('@') + 1));
    if (found) return *found ? ipc::FlushSite::yes : ipc::FlushSite::no;
    log::warning("", cat({"fast_flush_domains: ", found.error().what}));
    return ipc::FlushSite::unknown;
}

ipc::ResolveAnswer Engine::resolve(const ipc::ResolveRequest& request) {
    ipc::ResolveAnswer answer;
    auto route = (request.probe ? probe_resolver_ : resolver_).resolve(request.sender, request.recipient);
    if (!route) {
        set_failure(answer, route.error(), request.recipient);
        return answer;
    }
    answer.outcome = ipc::LookupOutcome::ok;
    answer.status.clear();
    answer.transport = std::move(route->transport);
    answer.next_hop = std::move(route->next_hop);
    answer.recipient = std::move(route->recipient);
    answer.rule = route->rule.substr(0, ipc::kMaxText);
    answer.flush_site = flush_site(answer.recipient);
    answer.address_class = to_ipc(route->domain_class);
    return answer;
}

ipc::ExpandAnswer Engine::expand(const ipc::ExpandRequest& request) {
    ipc::ExpandAnswer answer;
    const auto role = request.role == ipc::AddressRole::sender ? Role::sender : Role::recipient;
    if (!request.mappings) {
        answer.outcome = ipc::LookupOutcome::ok;
        answer.status.clear();
        answer.addresses = {request.address.empty() ? "" : rewriter_.complete(request.address)};
        return answer;
    }
    auto canonical = rewriter_.canonical(request.address, role);
    if (!canonical) {
        set_failure(answer, canonical.error(), request.address);
        return answer;
    }
    auto copies = rewriter_.copies(*canonical, role);
    if (!copies) {
        set_failure(answer, copies.error(), request.address);
        return answer;
    }
    answer.bcc = std::move(*copies);
    if (role == Role::recipient && !canonical->empty()) {
        auto addresses = rewriter_.members(std::move(*canonical));
        if (!addresses) {
            set_failure(answer, addresses.error(), request.address);
            return answer;
        }
        answer.addresses = std::move(*addresses);
    } else {
        answer.addresses = {std::move(*canonical)};
    }
    answer.outcome = ipc::LookupOutcome::ok;
    answer.status.clear();
    return answer;
}

ipc::HeaderAnswer Engine::rewrite_header(const ipc::HeaderRequest& request) {
    ipc::HeaderAnswer answer;
    const auto rewrite = [&](const auto& from, auto& to, Role role) {
        for (const auto& address : from) {
            auto result = rewriter_.canonical(address, role);
            if (!result) {
                ipc::ExpandAnswer failure;
                set_failure(failure, result.error(), address);
                answer.text = failure.text;
                return false;
            }
            // Nobody could take a longer one.
            to.push_back(result->size() <= ipc::kMaxAddress ? std::move(*result) : address);
        }
        return true;
    };
    if (rewrite(request.senders, answer.senders, Role::header_sender) &&
        rewrite(request.recipients, answer.recipients, Role::header_recipient))
        answer.outcome = ipc::LookupOutcome::ok;
    return answer;
}

service::Worker::Conversation serve(Engine& engine, ipc::Channel& channel) {
    using Conversation = service::Worker::Conversation;
    const auto deadline = Deadline::in(kPatience);
    auto packet = channel.receive_packet(deadline);
    if (!packet) return Conversation::over;
    const auto answered = [&]() -> Result<void> {
        if (packet->type() == ipc::ResolveRequest::kType) {
            TRY_ASSIGN(const auto request, packet->as<ipc::ResolveRequest>());
            return channel.send(engine.resolve(request), deadline);
        }
        if (packet->type() == ipc::HeaderRequest::kType) {
            TRY_ASSIGN(const auto request, packet->as<ipc::HeaderRequest>());
            return channel.send(engine.rewrite_header(request), deadline);
        }
        TRY_ASSIGN(const auto request, packet->as<ipc::ExpandRequest>());
        return channel.send(engine.expand(request), deadline);
    }();
    if (answered) return Conversation::goes_on;
    log::warning("", answered.error().what);
    return Conversation::over;
}

}  // namespace postern::route
