#include "cleanup/header_addresses.h"

#include <algorithm>

#include "lib/ipc/messages/route.h"
#include "lib/mail/field_addresses.h"
#include "lib/mail/header.h"

namespace postern::cleanup {
namespace {

std::string complete(const mail::FieldAddress& address, const table::Completion& completion) {
    const std::string& text = address.text;
    // '@' in quotes, and other signs there, are part of a name.
    if (!address.has_domain && text.find('"') != std::string::npos)
        return completion.at_myorigin ? cat({text, "@", completion.myorigin}) : text;
    if (text.ends_with('@')) return text;
    return table::complete_address(text, completion);
}

// Moves from the end of `from` what fits into one question.
void take_some(std::vector<std::string>& from, std::vector<std::string>& to, std::size_t& budget) {
    while (!from.empty() && to.size() < ipc::HeaderRequest::kMaxAddresses &&
           from.back().size() <= budget) {
        budget -= from.back().size();
        to.push_back(std::move(from.back()));
        from.pop_back();
    }
}

}  // namespace

std::string complete_addresses(std::string_view body, const table::Completion& completion,
                               std::size_t token_limit) {
    return mail::rewrite_field(body, token_limit, [&](const mail::FieldAddress& address) {
        return complete(address, completion);
    });
}

bool is_complete(std::string_view address, const table::Completion& completion) {
    if (address.empty()) return true;
    if (table::complete_address(address, completion) != address) return false;
    const std::size_t at = address.rfind('@');
    return at != std::string_view::npos && at != 0 && at + 1 != address.size();
}

const HeaderRewriting::Answers* HeaderRewriting::answers_for(std::string_view field_name) const {
    switch (mail::address_field(to_lower(field_name))) {
        case mail::AddressField::sender:
            return options_.rewrite_header_senders ? &senders_ : nullptr;
        case mail::AddressField::recipient:
            return options_.rewrite_header_recipients ? &recipients_ : nullptr;
        case mail::AddressField::none: break;
    }
    return nullptr;
}

void HeaderRewriting::collect(std::string_view text) {
    mail::HeaderCursor cursor(text);
    while (const auto field = cursor.next()) {
        const Answers* answers = answers_for(field->name);
        if (answers == nullptr) continue;
        auto& known = answers == &senders_ ? senders_ : recipients_;
        auto& open = answers == &senders_ ? open_senders_ : open_recipients_;
        for (const auto& address :
             mail::field_addresses(field->body, options_.header_address_token_limit)) {
            std::string name = mail::unquoted_address(address.text);
            if (name.empty() || name.size() > ipc::kMaxAddress) continue;
            if (known.emplace(name, "").second) open.push_back(std::move(name));
        }
    }
}

HeaderRewriting::Portion HeaderRewriting::next() {
    Portion portion;
    std::size_t budget = ipc::HeaderRequest::kBudget;
    take_some(open_senders_, portion.senders, budget);
    take_some(open_recipients_, portion.recipients, budget);
    return portion;
}

void HeaderRewriting::answered(const Portion& asked, const Portion& answer) {
    const auto note = [](Answers& known, const auto& names, const auto& results) {
        for (std::size_t i = 0; i < std::min(names.size(), results.size()); ++i)
            known[names[i]] = results[i];
    };
    note(senders_, asked.senders, answer.senders);
    note(recipients_, asked.recipients, answer.recipients);
}

std::string HeaderRewriting::apply(std::string_view text) const {
    std::string out;
    out.reserve(text.size() + 256);
    std::size_t done = 0;
    mail::HeaderCursor cursor(text);
    while (const auto field = cursor.next()) {
        const Answers* answers = answers_for(field->name);
        if (answers == nullptr) continue;
        const auto begin = static_cast<std::size_t>(field->body.data() - text.data());
        out += text.substr(done, begin - done);
        out += mail::rewrite_field(
            field->body, options_.header_address_token_limit,
            [&](const mail::FieldAddress& address) {
                const std::string name = mail::unquoted_address(address.text);
                const auto known = answers->find(name);
                const bool same =
                    known == answers->end() || known->second.empty() || known->second == name;
                return same ? address.text : mail::quoted_address(known->second);
            });
        done = begin + field->body.size();
    }
    out += text.substr(done);
    return out;
}

}  // namespace postern::cleanup
