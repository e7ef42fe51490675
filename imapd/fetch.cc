#include "imapd/fetch.h"

#include <algorithm>
#include <ctime>

#include "imapd/flag_names.h"
#include "imapd/preview.h"
#include "imapd/thread_id.h"
#include "lib/base/strings.h"
#include "lib/imap/response.h"
#include "lib/mail/date.h"
#include "lib/mail/envelope.h"
#include "lib/mail/header.h"
#include "lib/mail/transfer_encoding.h"

namespace postern::imapd {
namespace {

using imap::FetchItem;
using imap::Section;
using ItemKind = FetchItem::Kind;
using Text = Section::Text;

enum class Needs : unsigned char { nothing, header, all, structure };

Needs needs_of(const FetchItem& item) {
    switch (item.kind) {
        case ItemKind::envelope: return Needs::header;
        case ItemKind::body:
        case ItemKind::body_structure: return Needs::structure;
        case ItemKind::section:
            if (!item.section.path.empty()) return Needs::structure;
            if (item.section.text == Text::all || item.section.text == Text::text)
                return Needs::all;
            return Needs::header;
        case ItemKind::binary:
        case ItemKind::binary_size:
        case ItemKind::preview: return Needs::structure;
        default: return Needs::nothing;
    }
}

Needs needs_of(const std::vector<FetchItem>& items) {
    Needs needs = Needs::nothing;
    for (const FetchItem& item : items) needs = std::max(needs, needs_of(item));
    return needs;
}

// What a summary can answer.
bool is_of_summary(const FetchItem& item) {
    return item.kind == ItemKind::envelope || item.kind == ItemKind::body_structure ||
           (item.kind == ItemKind::section && item.section.path.empty() &&
            item.section.text == Text::header_fields);
}

bool needs_message(const FetchItem& item) {
    return needs_of(item) != Needs::nothing && !is_of_summary(item);
}

bool wants(const std::vector<FetchItem>& items, ItemKind kind) {
    return imap::has_item(items, kind);
}

// The part of a BINARY item, or null; the empty path is the whole message.
const mail::MimePart* binary_part(const FetchItem& item, const mail::MimePart* structure) {
    return structure == nullptr ? nullptr : mail::find_part(*structure, item.section.path);
}

bool has_unknown_encoding(const std::vector<FetchItem>& items, const mail::MimePart* structure) {
    return std::any_of(items.begin(), items.end(), [structure](const FetchItem& item) {
        if (item.kind != ItemKind::binary && item.kind != ItemKind::binary_size) return false;
        const auto* part = binary_part(item, structure);
        return part != nullptr && !is_known_encoding(part->encoding);
    });
}

// A part without its transfer encoding, RFC 3516 4.2; what has parts is given as it stands.
std::string decoded(const FetchItem& item, std::string_view text, const mail::MimePart& part) {
    if (item.section.path.empty()) return std::string(text);
    if (!part.children.empty()) return std::string(part.body(text));
    return mail::decode_content(part.encoding, part.body(text));
}

int zone_minutes(std::int64_t seconds) {
    const std::time_t time = seconds;
    std::tm local{};
    if (::localtime_r(&time, &local) == nullptr) return 0;
    return static_cast<int>(local.tm_gmtoff / 60);
}

std::string quoted_date(std::int64_t seconds) {
    return cat({"\"", mail::format_internal_date({seconds, zone_minutes(seconds)}), "\""});
}

// RFC 3501 6.4.5: the fields in their order, and an empty line.
std::string chosen_fields(std::string_view header, const Section& section) {
    const bool wanted = section.text == Text::header_fields;
    std::string out;
    mail::HeaderCursor cursor(header);
    while (const auto field = cursor.next()) {
        const bool named =
            std::any_of(section.fields.begin(), section.fields.end(),
                        [&](const std::string& name) { return iequals(name, field->name); });
        if (named == wanted) out += field->raw;
    }
    if (!out.empty() && !out.ends_with("\r\n")) out += "\r\n";
    return out + "\r\n";
}

SectionBytes of_message(const Section& section, std::string_view header, std::string_view body,
                        std::string_view whole) {
    switch (section.text) {
        case Text::all: return {true, whole, {}};
        case Text::header: return {true, header, {}};
        case Text::text: return {true, body, {}};
        case Text::header_fields:
        case Text::header_fields_not: return {true, {}, chosen_fields(header, section)};
        case Text::mime: break;
    }
    return {};
}

}  // namespace

bool is_known_encoding(std::string_view name) {
    for (const auto known : {"7bit", "8bit", "binary", "base64", "quoted-printable"})
        if (iequals(name, known)) return true;
    return false;
}

SectionBytes section_bytes(const Section& section, std::string_view text,
                           const mail::MimePart* structure) {
    if (section.path.empty()) {
        const auto split = mail::split_message(text);
        return of_message(section, split.header, split.body, text);
    }
    const mail::MimePart* part =
        structure == nullptr ? nullptr : mail::find_part(*structure, section.path);
    if (part == nullptr) return {};
    if (section.text == Text::all) return {true, part->body(text), {}};
    if (section.text == Text::mime) return {true, part->header(text), {}};
    // RFC 3501 6.4.5: HEADER and TEXT of a part refer to the message that it encloses
    if (!part->is_message()) return {};
    const mail::MimePart& message = part->children.front();
    return of_message(section, message.header(text), message.body(text), part->body(text));
}

Result<Fetcher::Outcome> Fetcher::run(std::span<const std::uint32_t> seqs,
                                      const std::vector<FetchItem>& items) {
    Outcome outcome;
    for (const std::uint32_t seq : seqs) {
        if (out_.failed()) break;
        auto prepared = prepare(seq, items);
        if (!prepared) {
            if (!source_.passes_over(prepared.error())) return std::move(prepared).error();
            outcome.some_missing |= prepared.error().code == Errc::not_found;
            continue;
        }
        outcome.unknown_encoding = outcome.unknown_encoding || prepared->unknown_encoding;
        if (prepared->unknown_encoding) continue;
        write(seq, *prepared, items);
    }
    view_.flush_cache();
    return outcome;
}

// Whether the summary of a message has all that is asked for.
bool Fetcher::suffices(const mailbox::CachedMessage& summary,
                       const std::vector<FetchItem>& items) const {
    return std::all_of(items.begin(), items.end(), [&](const FetchItem& item) {
        const auto& fields = item.section.fields;
        return item.kind != ItemKind::section ||
               std::none_of(fields.begin(), fields.end(), [&](const std::string& name) {
                   return mailbox::is_omitted(summary.omitted, name);
               });
    });
}

// False: the message itself is needed.
Result<bool> Fetcher::prepare_summary(std::uint32_t seq, const std::vector<FetchItem>& items,
                                      Prepared& out) {
    if (const auto known = view_.cached(seq)) {
        out.summary = *known;
        out.summarized = suffices(*known, items);
        return out.summarized;
    }
    TRY_ASSIGN(const mail::MimePart* structure, source_.structure(seq));
    TRY_ASSIGN(const std::string_view text, source_.text(seq));
    out.made = std::make_unique<const mailbox::Summary>(mailbox::summarize(text, *structure));
    view_.remember(seq, *out.made);
    out.summary.envelope = out.made->envelope;
    out.summary.structure = out.made->structure;
    out.summary.header = out.made->header;
    out.summary.omitted = out.made->omitted;
    out.summarized = suffices(out.summary, items);
    return out.summarized;
}

Result<Fetcher::Prepared> Fetcher::prepare(std::uint32_t seq, const std::vector<FetchItem>& items) {
    Prepared out;
    if (wants(items, ItemKind::thread_id)) {
        TRY_ASSIGN(out.thread_id, thread_id(view_, source_, seq));
    }
    const bool asks_summary = std::any_of(items.begin(), items.end(), is_of_summary);
    const bool asks_more = std::any_of(items.begin(), items.end(), needs_message);
    bool done = !asks_summary && !asks_more;
    if (asks_summary && !asks_more) {
        TRY_ASSIGN(done, prepare_summary(seq, items, out));
    }
    if (!done) TRY(prepare_text(seq, items, out));
    out.unknown_encoding = has_unknown_encoding(items, out.structure);
    if (out.unknown_encoding) return out;
    if (wants(items, ItemKind::rfc822_size)) {
        TRY_ASSIGN(out.size, view_.crlf_size(seq));
    }
    if (wants(items, ItemKind::internal_date)) {
        TRY_ASSIGN(out.date, view_.internal_date(seq));
    }
    if (wants(items, ItemKind::save_date)) {
        TRY_ASSIGN(out.save_date, view_.save_date(seq));
    }
    out.flags_changed = set_seen(seq, items);
    return out;
}

Result<void> Fetcher::prepare_text(std::uint32_t seq, const std::vector<FetchItem>& items,
                                   Prepared& out) {
    const Needs needs = needs_of(items);
    if (needs == Needs::structure) {
        TRY_ASSIGN(out.structure, source_.structure(seq));
    }
    if (needs == Needs::header) {
        TRY_ASSIGN(out.text, source_.header(seq));
    } else if (needs != Needs::nothing) {
        TRY_ASSIGN(out.text, source_.text(seq));
    }
    return {};
}

// RFC 3501 6.4.5: BODY[] without PEEK sets \Seen, but not under EXAMINE.
bool Fetcher::set_seen(std::uint32_t seq, const std::vector<FetchItem>& items) {
    const bool sets = std::any_of(items.begin(), items.end(),
                                  [](const FetchItem& item) { return item.sets_seen; });
    if (!sets || view_.read_only() || (view_.message(seq).flags.system & mailbox::kSeen) != 0)
        return false;
    // A full disk must not keep anybody from reading: the flag stays as it is then.
    return view_.store(std::span(&seq, 1), mailbox::StoreMode::add, {mailbox::kSeen, 0})
        .has_value();
}

void Fetcher::write(std::uint32_t seq, const Prepared& prepared,
                    const std::vector<FetchItem>& items) {
    if (style_.uid_only)
        out_.write(cat({"* ", std::to_string(view_.message(seq).uid), " UIDFETCH ("}));
    else
        out_.write("* " + std::to_string(seq) + " FETCH (");
    bool first = true;
    for (const FetchItem& item : items) {
        if (!first) out_.write(" ");
        first = false;
        write_item(seq, prepared, item);
    }
    if (prepared.flags_changed && !wants(items, ItemKind::flags)) {
        out_.write(" FLAGS " + flags_of(seq));
    }
    if (prepared.flags_changed && style_.modseq && !wants(items, ItemKind::modseq))
        out_.write(cat({" MODSEQ (", std::to_string(view_.message(seq).modseq), ")"}));
    // RFC 7162 3.2.4
    if (prepared.flags_changed && style_.modseq && !style_.uid_only && !wants(items, ItemKind::uid))
        out_.write(" UID " + std::to_string(view_.message(seq).uid));
    out_.write(")\r\n");
}

std::string Fetcher::flags_of(std::uint32_t seq) const {
    return flag_list(view_.message(seq), view_.keywords(), style_.recent);
}

void Fetcher::write_item(std::uint32_t seq, const Prepared& prepared, const FetchItem& item) {
    std::string out = item.label + ' ';
    switch (item.kind) {
        case ItemKind::uid: out += std::to_string(view_.message(seq).uid); break;
        case ItemKind::flags: out += flags_of(seq); break;
        case ItemKind::internal_date: out += quoted_date(prepared.date); break;
        case ItemKind::save_date: out += quoted_date(prepared.save_date); break;
        case ItemKind::modseq:
            out += cat({"(", std::to_string(view_.message(seq).modseq), ")"});
            break;
        case ItemKind::email_id: out += cat({"(", view_.email_id(seq), ")"}); break;
        case ItemKind::thread_id: out += cat({"(", prepared.thread_id, ")"}); break;
        case ItemKind::rfc822_size: out += std::to_string(prepared.size); break;
        case ItemKind::envelope:
            if (prepared.summarized) {
                out += prepared.summary.envelope;
                break;
            }
            imap::append_envelope(out,
                                  mail::parse_envelope(mail::split_message(prepared.text).header));
            break;
        case ItemKind::body:
        case ItemKind::body_structure:
            if (prepared.summarized) {
                out += prepared.summary.structure;
                break;
            }
            imap::append_body(out, prepared.text, *prepared.structure,
                              item.kind == ItemKind::body_structure);
            break;
        case ItemKind::preview: append_preview(out, prepared); break;
        case ItemKind::section: out_.write(out); return write_section(prepared, item);
        case ItemKind::binary: out_.write(out); return write_binary(prepared, item);
        case ItemKind::binary_size: out_.write(out); return write_binary_size(prepared, item);
    }
    out_.write(out);
}

// RFC 8970 4: an empty string where there is nothing to show
void Fetcher::append_preview(std::string& out, const Prepared& prepared) {
    imap::append_string(out, preview_of(prepared.text, *prepared.structure));
}

namespace {

// RFC 3501 6.4.5: beyond the end is an empty string, not an error
std::string_view part_of(const FetchItem& item, std::string_view bytes) {
    if (!item.partial) return bytes;
    return bytes.substr(std::min<std::uint64_t>(item.partial->offset, bytes.size()),
                        item.partial->count);
}

}  // namespace

void Fetcher::write_section(const Prepared& prepared, const FetchItem& item) {
    const std::string_view text = prepared.summarized ? prepared.summary.header : prepared.text;
    const SectionBytes section = section_bytes(item.section, text, prepared.structure);
    if (!section.found) return out_.write("NIL");
    std::string_view bytes = section.view();
    bytes = part_of(item, bytes);
    out_.write('{' + std::to_string(bytes.size()) + "}\r\n");
    out_.write(bytes);
}

// RFC 3516 4.3: a literal8 where there is a NUL
void Fetcher::write_binary(const Prepared& prepared, const FetchItem& item) {
    const auto* part = binary_part(item, prepared.structure);
    if (part == nullptr) return out_.write("NIL");
    const std::string whole = decoded(item, prepared.text, *part);
    const std::string_view bytes = part_of(item, whole);
    const bool has_nul = bytes.find('\0') != std::string_view::npos;
    out_.write(cat({has_nul ? "~{" : "{", std::to_string(bytes.size()), "}\r\n"}));
    out_.write(bytes);
}

void Fetcher::write_binary_size(const Prepared& prepared, const FetchItem& item) {
    const auto* part = binary_part(item, prepared.structure);
    out_.write(std::to_string(part == nullptr ? 0 : decoded(item, prepared.text, *part).size()));
}

}  // namespace postern::imapd
