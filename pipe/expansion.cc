#include "pipe/expansion.h"

#include <algorithm>
#include <optional>

#include "lib/base/strings.h"
#include "lib/table/address_lookup.h"

namespace postern::pipe {
namespace {

constexpr std::string_view kOfRecipient[] = {"recipient", "user",   "extension",
                                             "mailbox",   "domain", "original_recipient"};

// Whether a local part must be quoted to stand before an @. RFC 5321 4.1.2; bytes beyond ASCII
// stay.
bool is_plain(std::string_view local) {
    constexpr std::string_view kSpecial = "()<>[]:;@\\,\"";
    if (local.empty() || local.front() == '.' || local.back() == '.') return false;
    return local.find("..") == std::string_view::npos &&
           std::none_of(local.begin(), local.end(), [&](char c) {
               return is_space(c) || is_control(c) || kSpecial.find(c) != std::string_view::npos;
           });
}

std::string quoted(std::string_view local) {
    if (is_plain(local)) return std::string(local);
    std::string out = "\"";
    for (const char c : local) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + "\"";
}

// An address as a command sees it.
std::string shown(const std::string& address, const Flags& flags, bool fold) {
    auto parts = table::split_address(address);
    if (fold && flags.fold_user) parts.local = to_lower(parts.local);
    if (fold && flags.fold_host) parts.domain = to_lower(parts.domain);
    if (flags.quote && !parts.local.starts_with('"')) parts.local = quoted(parts.local);
    return parts.domain.empty() ? parts.local : cat({parts.local, "@", parts.domain});
}

class Macros {
  public:
    Macros(const Attributes& attributes, const ipc::DeliverRequest& request,
           const std::string& delimiters)
        : attributes_(attributes), request_(request), delimiters_(delimiters) {}

    std::optional<std::string> value(std::string_view name,
                                     const ipc::DeliverRecipient& recipient) const {
        if (auto found = of_recipient(name, recipient)) return found;
        const Flags& flags = attributes_.flags;
        if (name == "sender") {
            if (!request_.sender.empty()) return shown(request_.sender, flags, false);
            const auto& nobody = attributes_.null_sender;
            return nobody.empty() ? nobody : shown(nobody, flags, false);
        }
        if (name == "nexthop")
            return flags.fold_host ? to_lower(request_.next_hop) : request_.next_hop;
        if (name == "size") return std::to_string(request_.body_size);
        if (name == "queue_id") return request_.queue_id.str();
        const std::pair<std::string_view, const std::string*> plain[] = {
            {"client_address", &request_.client_address},
            {"client_port", &request_.client_port},
            {"client_hostname", &request_.client_name},
            {"client_helo", &request_.helo},
            {"client_protocol", &request_.protocol},
            {"sasl_username", &request_.sasl_username},
            {"envid", &request_.envid}};
        for (const auto& [known, text] : plain) {
            if (known == name) return *text;
        }
        // What the queue does not carry as far as here.
        for (const auto known : {"sasl_method", "sasl_sender"}) {
            if (name == known) return std::string();
        }
        return std::nullopt;
    }

  private:
    std::optional<std::string> of_recipient(std::string_view name,
                                            const ipc::DeliverRecipient& recipient) const {
        const Flags& flags = attributes_.flags;
        if (name == "recipient") return shown(recipient.address, flags, true);
        if (name == "original_recipient")
            return shown(recipient.original.empty() ? recipient.address : recipient.original, flags,
                         true);
        auto parts = table::split_address(recipient.address);
        if (name == "domain") return flags.fold_host ? to_lower(parts.domain) : parts.domain;
        const std::string mailbox = flags.fold_user ? to_lower(parts.local) : parts.local;
        if (name == "mailbox") return mailbox;
        const auto split = table::split_extension(mailbox, delimiters_);
        if (name == "user") return split ? split->user : mailbox;
        if (name == "extension") return split ? split->extension.substr(1) : std::string();
        return std::nullopt;
    }

    const Attributes& attributes_;
    const ipc::DeliverRequest& request_;
    const std::string& delimiters_;
};

// One argument cut into text and names.
struct Piece {
    std::string text;  // or the macro's name
    bool macro = false;
};

Result<std::vector<Piece>> pieces_of(std::string_view argument) {
    std::vector<Piece> pieces;
    std::string text;
    for (std::size_t at = 0; at < argument.size(); ++at) {
        if (argument[at] != '$') {
            text += argument[at];
            continue;
        }
        const char next = at + 1 < argument.size() ? argument[at + 1] : '\0';
        if (next == '$') {
            text += '$';
            ++at;
            continue;
        }
        const bool bracket = next == '{' || next == '(';
        const std::size_t from = at + (bracket ? 2 : 1);
        std::size_t to = from;
        while (to < argument.size() && (is_alnum(argument[to]) || argument[to] == '_')) ++to;
        const bool closed =
            !bracket || (to < argument.size() && argument[to] == (next == '{' ? '}' : ')'));
        if (to == from || !closed)
            return Error{Errc::invalid, cat({"bad macro in \"", argument, "\""})};
        pieces.push_back({std::move(text), false});
        text.clear();
        pieces.push_back({std::string(argument.substr(from, to - from)), true});
        at = bracket ? to : to - 1;
    }
    pieces.push_back({std::move(text), false});
    return pieces;
}

}  // namespace

Result<std::vector<std::string>> expand_argv(const Attributes& attributes,
                                             const ipc::DeliverRequest& request,
                                             const std::string& delimiters) {
    const Macros macros(attributes, request, delimiters);
    std::vector<std::string> out;
    for (const auto& argument : attributes.argv) {
        TRY_ASSIGN(const auto pieces, pieces_of(argument));
        const bool each = std::any_of(pieces.begin(), pieces.end(), [](const Piece& piece) {
            return piece.macro && std::find(std::begin(kOfRecipient), std::end(kOfRecipient),
                                            piece.text) != std::end(kOfRecipient);
        });
        const std::size_t times = each ? request.recipients.size() : 1;
        for (std::size_t i = 0; i < times && i < request.recipients.size(); ++i) {
            std::string word;
            for (const auto& piece : pieces) {
                auto value =
                    piece.macro ? macros.value(piece.text, request.recipients[i]) : piece.text;
                if (!value)
                    return Error{Errc::invalid, cat({"unknown macro name \"", piece.text,
                                                     "\" in \"", argument, "\""})};
                word += *value;
            }
            out.push_back(std::move(word));
        }
    }
    return out;
}

}  // namespace postern::pipe
