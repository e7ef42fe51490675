#include "forwarder/outgoing.h"

#include <algorithm>
#include <utility>

#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/mail/field_addresses.h"
#include "lib/table/address_options.h"

namespace postern::forwarder {
namespace {

// As Postfix: edits only, and a short piece of the line in the log.
content::Dialect client_dialect(bool lmtp) {
    return {.prefix = lmtp ? "lmtp_" : "smtp_", .edits_only = true, .logged = 60};
}

std::string tables(const std::vector<std::string>& list) { return join(list, ", "); }

}  // namespace

OutgoingSettings OutgoingSettings::from(const config::Config& config, bool lmtp) {
    OutgoingSettings s;
    s.lmtp = lmtp;
    s.checks.header =
        tables(config.get(lmtp ? param::lmtp_header_checks : param::smtp_header_checks));
    s.checks.mime_header =
        tables(config.get(lmtp ? param::lmtp_mime_header_checks : param::smtp_mime_header_checks));
    s.checks.nested_header = tables(
        config.get(lmtp ? param::lmtp_nested_header_checks : param::smtp_nested_header_checks));
    s.checks.body = tables(config.get(lmtp ? param::lmtp_body_checks : param::smtp_body_checks));
    s.limits.header_size = config.get(param::header_size_limit);
    s.limits.body_checks_size = config.get(param::body_checks_size_limit);
    s.limits.mime_nesting = config.get(param::mime_nesting_limit);
    s.limits.mime_boundary_length = config.get(param::mime_boundary_length_limit);
    s.generic_maps = tables(config.get(lmtp ? param::lmtp_generic_maps : param::smtp_generic_maps));
    s.addresses.delimiters = config.get(param::recipient_delimiter);
    s.addresses.completion = table::completion(config);
    const auto propagated = config.get(param::propagate_unmatched_extensions);
    s.addresses.propagate =
        std::find(propagated.begin(), propagated.end(), "generic") != propagated.end();
    s.token_limit = config.get(param::header_address_token_limit);
    if (!s.generic_maps.empty()) s.classes = table::class_lists(config);
    return s;
}

Outgoing::Outgoing(const OutgoingSettings& settings)
    : settings_(settings),
      rules_(settings.checks, client_dialect(settings.lmtp)),
      generic_(table::Maps::open(settings.generic_maps)),
      classes_(settings.classes) {
    for (const Error& problem : generic_.problems()) log::warning("", problem.what);
}

Result<std::string> Outgoing::generic(const std::string& address) {
    if (generic_.empty() || address.empty()) return address;
    const std::string domain = table::split_address(address).domain;
    content::AddressMapRules rules = settings_.addresses;
    rules.own_domain = iequals(domain, rules.completion.myorigin);
    if (!rules.own_domain) {
        TRY_ASSIGN(rules.own_domain, classes_.is_local(domain));
    }
    auto found = content::map_address(generic_, address, rules);
    if (found.failed()) return std::move(found).error();
    if (found.not_found()) return address;
    if (found->size() > 1)
        log::warning("", cat({settings_.lmtp ? "lmtp" : "smtp",
                              "_generic_maps: multi-valued entry for ", printable(address, 200)}));
    return std::move(found->front());
}

Result<void> OutgoingFilter::feed(std::string_view bytes, std::string& out) {
    if (!converter_) {
        take(bytes, out);
        return judged();
    }
    changed_.clear();
    take(bytes, changed_);
    converter_->feed(changed_, out);
    return judged();
}

Result<void> OutgoingFilter::finish(std::string& out) {
    if (!converter_) {
        end(out);
        return judged();
    }
    changed_.clear();
    end(changed_);
    converter_->feed(changed_, out);
    converter_->finish(out);
    return judged();
}

void OutgoingFilter::take(std::string_view bytes, std::string& out) {
    if (in_header_)
        header_bytes(bytes, out);
    else
        body_bytes(bytes, out);
}

void OutgoingFilter::end(std::string& out) {
    if (in_header_ && !partial_.empty()) header_line(std::exchange(partial_, {}), {}, out);
    if (in_header_) end_field(out);
    if (body_) body_->finish(out);
}

// What the rules said goes into the log; whether one of them could say nothing, to our caller.
Result<void> OutgoingFilter::judged() {
    for (const auto& note : std::exchange(effects_.notes, {})) {
        log::info(id_, note.text.empty() ? note.what : cat({note.what, ": ", note.text}),
                  {log::kv("rule", note.rule)});
    }
    if (failure_) return *failure_;
    if (effects_.refusal) return Error{Errc::temporary, effects_.refusal->text};
    return {};
}

// cleanup has made the header what it must be; what is too long all the same is cut as there.
void OutgoingFilter::header_bytes(std::string_view bytes, std::string& out) {
    while (!bytes.empty()) {
        const std::size_t end = bytes.find('\n');
        const bool whole = end != std::string_view::npos;
        const std::string_view part = bytes.substr(0, whole ? end + 1 : end);
        bytes.remove_prefix(part.size());
        if (partial_.size() + part.size() <= tables_.settings().limits.header_size)
            partial_ += part;
        else if (whole)
            partial_ += "\r\n";
        if (!whole) return;
        header_line(std::exchange(partial_, {}), bytes, out);
        if (!in_header_) return;
    }
}

// `rest` follows the line; it is taken here once the header has ended.
void OutgoingFilter::header_line(std::string line, std::string_view rest, std::string& out) {
    if (!field_.empty() && is_space(line.front()) && line != "\r\n") {
        if (field_.size() + line.size() <= tables_.settings().limits.header_size) field_ += line;
        return;
    }
    end_field(out);
    if (content::field_name_size(line) > 0) {
        field_ = std::move(line);
        return;
    }
    in_header_ = false;
    if (line == "\r\n") out += line;
    end_header();
    if (line != "\r\n") body_bytes(line, out);
    body_bytes(rest, out);
}

void OutgoingFilter::end_field(std::string& out) {
    if (field_.empty()) return;
    std::string field = std::exchange(field_, {});
    const std::string name =
        to_lower(std::string_view(field).substr(0, content::field_name_size(field)));
    content::note_content_field(name, std::string_view(field).substr(field.find(':') + 1), type_);
    const auto kind =
        content::is_mime_field(name) ? content::Kind::mime_header : content::Kind::header;
    auto made = content::judge_field(tables_.rules(), kind, std::move(field), effects_, out);
    if (made) put_field(name, std::move(*made), out);
}

// After the rules, as in Postfix: the addresses of the header for the world outside. A field that a
// rule has renamed counts by its old name.
void OutgoingFilter::put_field(std::string_view lower_name, std::string field, std::string& out) {
    if (!tables_.has_generic_maps() ||
        mail::address_field(lower_name) == mail::AddressField::none) {
        out += field;
        return;
    }
    const std::size_t colon = field.find(':') + 1;
    out += std::string_view(field).substr(0, colon);
    out += mail::rewrite_field(
        std::string_view(field).substr(colon), tables_.settings().token_limit,
        [this](const mail::FieldAddress& address) {
            const std::string plain = mail::unquoted_address(address.text);
            if (plain.empty() || failure_) return address.text;
            auto known = tables_.generic(plain);
            if (!known) {
                failure_ = known.error();
                return address.text;
            }
            return *known == plain ? address.text : mail::quoted_address(*known);
        });
}

void OutgoingFilter::end_header() {
    if (content::BodyFilter::needed(tables_.rules(), tables_.settings().limits, type_))
        body_.emplace(tables_.rules(), tables_.settings().limits, effects_, type_);
}

void OutgoingFilter::body_bytes(std::string_view bytes, std::string& out) {
    if (bytes.empty()) return;
    if (body_)
        body_->feed(bytes, out);
    else
        out += bytes;
}

}  // namespace postern::forwarder
