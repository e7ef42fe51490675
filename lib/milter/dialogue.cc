// The milter protocol, see dialogue.h. A packet is its length (4 bytes, network order), a command
// letter and data; numbers are in network order, strings end in NUL.
#include "lib/milter/dialogue.h"

#include <algorithm>

#include "lib/base/strings.h"

namespace postern::milter {
namespace {

// What a milter may do (SMFIF_*): all that we understand.
constexpr std::uint32_t kAddHeader = 0x1, kChangeBody = 0x2, kAddRecipient = 0x4,
                        kDeleteRecipient = 0x8, kChangeHeader = 0x10, kQuarantine = 0x20,
                        kChangeSender = 0x40, kAddRecipientWithParameters = 0x80,
                        kSetMacros = 0x100;
constexpr std::uint32_t kActions2 =
    kAddHeader | kChangeBody | kAddRecipient | kDeleteRecipient | kChangeHeader | kQuarantine;
constexpr std::uint32_t kActions6 =
    kActions2 | kChangeSender | kAddRecipientWithParameters | kSetMacros;

// What it does not want to hear, or will not answer (SMFIP_*).
constexpr std::uint32_t kNoConnect = 0x1, kNoHelo = 0x2, kNoMail = 0x4, kNoRcpt = 0x8,
                        kNoBody = 0x10, kNoHeader = 0x20, kNoEndOfHeader = 0x40, kMuteHeader = 0x80,
                        kNoUnknown = 0x100, kNoData = 0x200, kMaySkip = 0x400,
                        kMuteConnect = 0x1000, kMuteHelo = 0x2000, kMuteMail = 0x4000,
                        kMuteRcpt = 0x8000, kMuteData = 0x10000, kMuteUnknown = 0x20000,
                        kMuteEndOfHeader = 0x40000, kMuteBody = 0x80000, kLeadingSpace = 0x100000;
constexpr std::uint32_t kFlags2 =
    kNoConnect | kNoHelo | kNoMail | kNoRcpt | kNoBody | kNoHeader | kNoEndOfHeader;
constexpr std::uint32_t kFlags4 = kFlags2 | kNoUnknown | kNoData;
constexpr std::uint32_t kFlags6 = kFlags4 | kMuteHeader | kMaySkip | kMuteConnect | kMuteHelo |
                                  kMuteMail | kMuteRcpt | kMuteData | kMuteUnknown |
                                  kMuteEndOfHeader | kMuteBody | kLeadingSpace;

constexpr std::size_t kChunk = 65535;         // of the body in one packet
constexpr std::size_t kPortion = 4 * kChunk;  // of one Step
constexpr std::string_view kNul("\0", 1);

std::string number(std::uint32_t value) {
    return {static_cast<char>(value >> 24), static_cast<char>(value >> 16),
            static_cast<char>(value >> 8), static_cast<char>(value)};
}

std::optional<std::uint32_t> take_number(std::string_view& data) {
    if (data.size() < 4) return std::nullopt;
    std::uint32_t value = 0;
    for (int i = 0; i < 4; ++i)
        value = value << 8 | static_cast<unsigned char>(data[static_cast<std::size_t>(i)]);
    data.remove_prefix(4);
    return value;
}

std::optional<std::string_view> take_string(std::string_view& data) {
    const auto end = data.find('\0');
    if (end == std::string_view::npos) return std::nullopt;
    const auto text = data.substr(0, end);
    data.remove_prefix(end + 1);
    return text;
}

std::string packet(char command, std::string_view data) {
    return cat(
        {number(static_cast<std::uint32_t>(data.size() + 1)), std::string_view(&command, 1), data});
}

// A value ends at its NUL: what a client smuggles behind one is not sent.
std::string_view plain(std::string_view text) { return text.substr(0, text.find('\0')); }

std::string macro_packet(char command, const Macros& macros) {
    std::string data(1, command);
    for (const auto& [name, value] : macros) data += cat({plain(name), kNul, plain(value), kNul});
    return packet('D', data);
}

std::string address_data(std::string_view address, const std::vector<std::string>& parameters) {
    std::string data = cat({"<", plain(address), ">", kNul});
    for (const auto& parameter : parameters) data += cat({plain(parameter), kNul});
    return data;
}

std::string_view without_brackets(std::string_view address) {
    address = trim(address);
    if (address.starts_with('<')) address.remove_prefix(1);
    if (address.ends_with('>')) address.remove_suffix(1);
    return address;
}

// "550 5.7.1 text", lines parted by CRLF, "%%" for "%".
std::optional<Outcome> parse_reply(std::string_view data) {
    const auto code = parse_number<int>(data.substr(0, std::min<std::size_t>(3, data.size())));
    if (!code || *code < 400 || *code > 599) return std::nullopt;
    std::string text;
    for (auto line : split(data, '\n')) {
        line = trim_right(line);
        if (line.size() <= 4) continue;
        if (!text.empty()) text += ' ';
        text += line.substr(4);
    }
    for (auto at = text.find("%%"); at != std::string::npos; at = text.find("%%", at + 1))
        text.erase(at, 1);
    const bool has_status = text.size() > 4 && (text[0] == '4' || text[0] == '5') && text[1] == '.';
    if (!has_status)
        text = cat({*code < 500 ? "4.7.1 " : "5.7.1 ", text.empty() ? "Command rejected" : text});
    return Outcome{Outcome::Kind::refuse, *code, printable(text, 500)};
}

Error broken(std::string_view what) { return Error{Errc::invalid, cat({"milter: ", what})}; }

}  // namespace

Dialogue::Dialogue(int version, std::uint64_t body_limit)
    : asked_version_(static_cast<std::uint32_t>(version)), body_limit_(body_limit) {}

Step Dialogue::negotiate() {
    negotiating_ = true;
    const auto actions = asked_version_ >= 6 ? kActions6 : kActions2;
    const auto flags = asked_version_ >= 6 ? kFlags6 : asked_version_ >= 4 ? kFlags4 : kFlags2;
    return {packet('O', cat({number(asked_version_), number(actions), number(flags)})), true};
}

Result<void> Dialogue::on_negotiated(std::string_view data) {
    const auto version = take_number(data), actions = take_number(data), flags = take_number(data);
    if (!version || !actions || !flags) return broken("short negotiation");
    if (*version < 2 || *version > asked_version_)
        return broken(cat({"speaks version ", std::to_string(*version)}));
    const auto known = asked_version_ >= 6 ? kActions6 : kActions2;
    if ((*actions & ~known) != 0) return broken("wants actions that were not offered");
    version_ = *version;
    actions_ = *actions;
    // Sizes of body chunks beyond the usual are asked for in high bits: the usual size is always
    // right.
    flags_ = *flags & (asked_version_ >= 6 ? kFlags6 : asked_version_ >= 4 ? kFlags4 : kFlags2);
    while ((actions_ & kSetMacros) != 0 && !data.empty()) {
        const auto stage = take_number(data);
        const auto names = take_string(data);
        if (!stage || !names) return broken("bad list of macros");
        if (*stage < kStages) wanted_[static_cast<Stage>(*stage)] = *names;
    }
    return {};
}

const std::string* Dialogue::wanted_macros(Stage stage) const {
    const auto at = wanted_.find(stage);
    return at == wanted_.end() ? nullptr : &at->second;
}

Step Dialogue::event(char command, std::string_view data, std::uint32_t unwanted,
                     std::uint32_t unanswered, Stage, const Macros& macros) {
    if (has(unwanted)) return {};
    std::string bytes = macro_packet(command, macros);
    bytes += packet(command, data);
    return {std::move(bytes), !has(unanswered)};
}

Step Dialogue::connect(std::string_view name, std::string_view address, std::uint16_t port,
                       const Macros& macros) {
    const bool six = address.find(':') != std::string_view::npos;
    std::string data = cat({plain(name), kNul, six ? "6" : "4"});
    data += static_cast<char>(port >> 8);
    data += static_cast<char>(port & 0xff);
    data += cat({plain(address), kNul});
    return event('C', data, kNoConnect, kMuteConnect, Stage::connect, macros);
}

Step Dialogue::helo(std::string_view name, const Macros& macros) {
    return event('H', cat({plain(name), kNul}), kNoHelo, kMuteHelo, Stage::helo, macros);
}

Step Dialogue::mail(std::string_view sender, const std::vector<std::string>& parameters,
                    const Macros& macros) {
    return event('M', address_data(sender, parameters), kNoMail, kMuteMail, Stage::mail, macros);
}

Step Dialogue::rcpt(std::string_view recipient, const std::vector<std::string>& parameters,
                    const Macros& macros) {
    return event('R', address_data(recipient, parameters), kNoRcpt, kMuteRcpt, Stage::rcpt, macros);
}

Step Dialogue::data(const Macros& macros) {
    if (version_ < 4) return {};
    return event('T', {}, kNoData, kMuteData, Stage::data, macros);
}

Step Dialogue::abort() {
    part_ = Part::done;
    at_end_ = false;
    return {packet('A', {}), false};
}

Step Dialogue::quit() { return {packet('Q', {}), false}; }

// One portion: as many packets as need no answer, up to one that does.
Step Dialogue::text(const Text& text, const Macros& end_of_header, const Macros& end_of_message) {
    Step step;
    while (!step.answered && step.bytes.size() < kPortion && part_ != Part::done) {
        switch (part_) {
            case Part::header: {
                field_ = field_ == SIZE_MAX ? text.first_field() : field_;
                if (has(kNoHeader) || field_ >= text.fields()) {
                    part_ = Part::end_of_header;
                    break;
                }
                auto value = text.value(field_);
                if (!has(kLeadingSpace) && value.starts_with(' ')) value.erase(0, 1);
                step.bytes +=
                    packet('L', cat({plain(text.name(field_)), kNul, plain(value), kNul}));
                step.answered = !has(kMuteHeader);
                ++field_;
                break;
            }
            case Part::end_of_header:
                part_ = has(kNoBody) ? Part::end : Part::body;
                if (has(kNoEndOfHeader)) break;
                step.bytes += macro_packet('N', end_of_header) + packet('N', {});
                step.answered = !has(kMuteEndOfHeader);
                break;
            case Part::body:
                if (body_skipped_ || body_at_ >= text.body().size()) {
                    part_ = Part::end;
                    break;
                }
                step.bytes += packet('B', std::string_view(text.body()).substr(body_at_, kChunk));
                body_at_ += kChunk;
                step.answered = !has(kMuteBody);
                break;
            case Part::end:
                part_ = Part::done;
                at_end_ = true;
                body_replaced_ = false;
                step.bytes += macro_packet('E', end_of_message) + packet('E', {});
                step.answered = true;
                break;
            case Part::done: break;
        }
    }
    return step;
}

Result<std::optional<Outcome>> Dialogue::take(Text& text, std::vector<EnvelopeEdit>& envelope,
                                              bool& progress) {
    std::string_view rest = input_;
    std::optional<Outcome> outcome;
    while (!outcome) {
        std::string_view at = rest;
        const auto size = take_number(at);
        if (!size) break;
        if (*size == 0 || *size > kMaxAnswer) return broken("a packet of impossible size");
        if (at.size() < *size) break;
        rest = at.substr(*size);
        const char code = at[0];
        if (code == 'p' && !negotiating_) {
            progress = true;
            continue;
        }
        TRY_ASSIGN(outcome, answer(code, at.substr(1, *size - 1), text, envelope));
    }
    input_.erase(0, input_.size() - rest.size());
    return outcome;
}

Result<std::optional<Outcome>> Dialogue::answer(char code, std::string_view data, Text& text,
                                                std::vector<EnvelopeEdit>& envelope) {
    using Kind = Outcome::Kind;
    if (negotiating_) {
        if (code != 'O') return broken("does not negotiate");
        negotiating_ = false;
        TRY(on_negotiated(data));
        return std::optional(Outcome{});
    }
    if (at_end_) {
        TRY_ASSIGN(const bool edited, edit(code, data, text, envelope));
        if (edited) return std::optional<Outcome>();
    }
    switch (code) {
        case 'c': return std::optional(finish({}, text));
        case 'a': return std::optional(finish({Kind::accept, 0, {}}, text));
        case 'r': return std::optional(finish(Outcome::reject(), text));
        case 't':
        case 'f': return std::optional(finish(Outcome::tempfail(), text));
        case 'd': return std::optional(finish({Kind::discard, 0, {}}, text));
        case '4': return std::optional(finish(Outcome::shutdown(), text));
        case 's':
            if (!has(kMaySkip) || part_ != Part::body)
                return broken("skips what cannot be skipped");
            body_skipped_ = true;
            return std::optional(Outcome{});
        case 'y': {
            auto reply = parse_reply(data.substr(0, data.find('\0')));
            if (!reply) return broken("a reply that is no SMTP reply");
            return std::optional(finish(std::move(*reply), text));
        }
        default: return broken(cat({"unexpected answer ", printable(std::string_view(&code, 1))}));
    }
}

Outcome Dialogue::finish(Outcome outcome, Text& text) {
    if (at_end_ && body_replaced_) text.finish_body();
    at_end_ = false;
    if (outcome.kind != Outcome::Kind::proceed || part_ == Part::done) {
        part_ = Part::done;
        body_skipped_ = false;
    }
    return outcome;
}

// Whether that was a change of the message, which it now is.
Result<bool> Dialogue::edit(char code, std::string_view data, Text& text,
                            std::vector<EnvelopeEdit>& envelope) {
    using Kind = EnvelopeEdit::Kind;
    constexpr std::string_view kEdits = "+2-bhimqe";
    if (kEdits.find(code) == std::string_view::npos) return false;
    if (++edits_ > kMaxEdits) return broken("too many changes");
    if (code == 'b') {
        if ((actions_ & kChangeBody) == 0) return broken("changes the body without having said so");
        if (!std::exchange(body_replaced_, true)) text.begin_body();
        text.append_body(data);
        if (body_limit_ > 0 && text.body().size() > body_limit_)
            return broken("the new body is too big");
        return true;
    }
    if (code == 'h' || code == 'i' || code == 'm') {
        const auto index = code == 'h' ? std::optional<std::uint32_t>(0) : take_number(data);
        const auto name = take_string(data), value = take_string(data);
        if (!index || !name || !value) return broken("a bad change of the header");
        // Without SMFIP_HDR_LEADSPC the space after the colon is not the milter's business.
        const auto shown =
            has(kLeadingSpace) || value->empty() ? std::string(*value) : cat({" ", *value});
        const bool done = code == 'h'   ? text.add(*name, shown)
                          : code == 'i' ? text.insert(*index, *name, shown)
                                        : text.change(*index, *name, shown);
        if (!done) return broken("a bad change of the header");
        return true;
    }
    const auto argument = take_string(data);
    if (!argument) return broken("a bad change of the envelope");
    if (code == 'q') {
        envelope.push_back({Kind::hold, printable(*argument, 200)});
        return true;
    }
    const auto address = without_brackets(*argument);
    if (address.size() > 1000 || std::any_of(address.begin(), address.end(), is_control))
        return broken("a bad address");
    if (address.empty() && code != 'e') return broken("a bad address");
    const auto kind = code == 'e'   ? Kind::sender
                      : code == '-' ? Kind::delete_recipient
                                    : Kind::add_recipient;
    envelope.push_back({kind, std::string(address)});
    return true;
}

}  // namespace postern::milter
