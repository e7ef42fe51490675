// Where does an address go? qmgr and policy ask trivial-rewrite to resolve, cleanup asks it to expand.
#pragma once

#include "lib/ipc/codec.h"
#include "lib/ipc/messages/limits.h"

namespace postern::ipc {

enum class AddressClass : std::uint8_t { local, virtual_alias, virtual_mailbox, relay, other, kLast = other };
enum class LookupOutcome : std::uint8_t { ok, temporary, permanent, kLast = permanent };
// Whether fast_flush_domains has the recipient's domain: ETRN and postqueue -s are for it.
enum class FlushSite : std::uint8_t { no, yes, unknown, kLast = unknown };

struct ResolveRequest {
    static constexpr Type kType = Type::resolve_request;

    std::string sender, recipient;
    bool probe = false;  // by the address_verify_* parameters

    void attributes(auto& io) {
        io.attr("sender", sender, kMaxAddress);
        io.attr("recipient", recipient, kMaxAddress);
        io.attr("probe", probe);
    }
};

struct ResolveAnswer {
    static constexpr Type kType = Type::resolve_answer;

    LookupOutcome outcome = LookupOutcome::temporary;  // not ok: status and text say why, the rest is empty
    std::string status, text;
    std::string transport;  // master.cf name
    std::string next_hop;
    std::string recipient;  // as the delivery agent shall see it
    AddressClass address_class = AddressClass::other;
    FlushSite flush_site = FlushSite::no;
    std::string rule;  // what of main.cf sends it there, for mailtrace; empty: its class alone

    void attributes(auto& io) {
        io.attr("outcome", outcome);
        io.attr("status", status, 16);
        io.attr("text", text, kMaxText);
        io.attr("transport", transport, kMaxName);
        io.attr("next_hop", next_hop, kMaxNextHop);
        io.attr("recipient", recipient, kMaxAddress);
        io.attr("address_class", address_class);
        io.attr("flush_site", flush_site);
        io.attr("rule", rule, kMaxText);
    }
};

enum class AddressRole : std::uint8_t { sender, recipient, kLast = recipient };

// Canonical form of an address, and for recipients all that virtual_alias_maps makes of it.
struct ExpandRequest {
    static constexpr Type kType = Type::expand_request;

    std::string address;
    AddressRole role = AddressRole::recipient;
    bool mappings = true;  // no: only complete it (receive_override_options = no_address_mappings)

    void attributes(auto& io) {
        io.attr("address", address, kMaxAddress);
        io.attr("role", role);
        io.attr("mappings", mappings);
    }
};

struct ExpandAnswer {
    static constexpr Type kType = Type::expand_answer;
    static constexpr std::size_t kMaxAddresses = 1000;

    LookupOutcome outcome = LookupOutcome::temporary;
    std::string status, text;
    std::vector<std::string> addresses;  // at least one when ok
    std::vector<std::string> bcc;        // who gets a copy (sender_bcc_maps, recipient_bcc_maps)

    void attributes(auto& io) {
        io.attr("outcome", outcome);
        io.attr("status", status, 16);
        io.attr("text", text, kMaxText);
        io.attr("addresses", addresses, kMaxAddresses, kMaxAddress);
        io.attr("bcc", bcc, 10, kMaxAddress);
    }
};

// What the canonical maps and masquerade_domains make of addresses in a message's header. All are
// complete (user@domain); the answer has as many, in the same order.
struct HeaderRequest {
    static constexpr Type kType = Type::header_request;
    static constexpr std::size_t kMaxAddresses = 200;
    static constexpr std::size_t kBudget = 24'000;  // bytes of all of them: results may be longer

    std::vector<std::string> senders, recipients;  // by the kind of their field

    void attributes(auto& io) {
        io.attr("senders", senders, kMaxAddresses, kMaxAddress);
        io.attr("recipients", recipients, kMaxAddresses, kMaxAddress);
    }
};

struct HeaderAnswer {
    static constexpr Type kType = Type::header_answer;

    LookupOutcome outcome = LookupOutcome::temporary;
    std::string text;
    std::vector<std::string> senders, recipients;

    void attributes(auto& io) {
        io.attr("outcome", outcome);
        io.attr("text", text, kMaxText);
        io.attr("senders", senders, HeaderRequest::kMaxAddresses, kMaxAddress);
        io.attr("recipients", recipients, HeaderRequest::kMaxAddresses, kMaxAddress);
    }
};

}  // namespace postern::ipc
