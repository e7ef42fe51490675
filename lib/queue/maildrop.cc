#include "lib/queue/maildrop.h"

#include <algorithm>

#include "lib/base/crc32c.h"
#include "lib/base/strings.h"

namespace postern::queue {
namespace {

constexpr std::string_view kMagic("PosternM\1\0", 10);  // with the version, 1
constexpr std::size_t kRecordHead = 3;
constexpr std::size_t kMaxValue = 0xffff;
constexpr std::size_t kMaxAddress = 1000;
constexpr std::size_t kMaxText = 250;
constexpr std::size_t kEndValue = 12;
constexpr std::size_t kReadSize = 64 << 10;

Error invalid(std::string_view what) { return {Errc::invalid, cat({"maildrop file: ", what})}; }

template <class T>
void put(std::string& out, T value) {
    for (std::size_t i = 0; i < sizeof(T); ++i)
        out.push_back(static_cast<char>((value >> (8 * i)) & 0xff));
}

template <class T>
T get(std::string_view bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i)
        value |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
    return static_cast<T>(value);
}

void put_record(std::string& out, char type, std::string_view value) {
    out.push_back(type);
    put(out, static_cast<std::uint16_t>(value.size()));
    out += value;
}

// "B" (2 + '@': NOTIFY=SUCCESS), the ORCPT, a space (an ORCPT has none), the original address.
std::string known_text(const RequeuedRecipient& known) {
    const char notify = static_cast<char>('@' + (known.notify & 15));
    return cat({std::string_view(&notify, 1), known.orcpt, " ", known.original});
}

bool has_control(std::string_view text) {
    return std::any_of(text.begin(), text.end(), is_control);
}

}  // namespace

std::string MaildropWriter::counted(std::string bytes) {
    size_ += bytes.size();
    crc_ = crc32c(bytes, crc_);
    return bytes;
}

Result<std::string> MaildropWriter::begin(const MaildropEnvelope& e) {
    if (e.recipients.size() > MaildropParser::Limits{}.recipients)
        return Error{Errc::permanent, "too many recipients"};
    std::string out(kMagic);
    put_record(out, 'S', e.sender);
    if (!e.full_name.empty()) put_record(out, 'N', e.full_name);
    if (!e.envid.empty()) put_record(out, 'V', e.envid);
    if (!e.ret.empty()) put_record(out, 'Y', e.ret);
    if (!e.verp.empty()) put_record(out, 'X', e.verp);
    if (e.notify != 0) put_record(out, 'O', std::string(1, static_cast<char>(e.notify)));
    const int flags =
        (e.body_8bit ? 1 : 0) + (e.smtputf8 ? 2 : 0) + (e.report_all ? 4 : 0) + (e.probe ? 8 : 0);
    if (flags != 0) put_record(out, 'F', std::string(1, static_cast<char>(flags)));
    if (!e.requeued.empty()) {
        put_record(out, 'Q', e.requeued.str());
        if (e.priority != 0) put_record(out, 'M', std::to_string(e.priority));
        if (e.release > WallTime{})
            put_record(out, 'T', std::to_string(e.release.time_since_epoch().count()));
    }
    for (std::size_t i = 0; i < e.recipients.size(); ++i) {
        if (e.recipients[i].size() > kMaxAddress) return invalid("recipient address too long");
        if (!e.requeued.empty()) put_record(out, 'P', known_text(e.known.at(i)));
        put_record(out, 'R', e.recipients[i]);
    }
    // The reader's judgement is the rule; the writer only asks it.
    TRY(MaildropParser({.recipients = e.recipients.size(), .requeued = true}).feed(out, nullptr));
    return counted(std::move(out));
}

std::string MaildropWriter::content(std::string_view bytes) {
    std::string out;
    out.reserve(bytes.size() + kRecordHead * (bytes.size() / kMaxValue + 1));
    while (!bytes.empty()) {
        const std::string_view part = bytes.substr(0, kMaxValue);
        put_record(out, 'D', part);
        bytes.remove_prefix(part.size());
    }
    return counted(std::move(out));
}

std::string MaildropWriter::end() {
    std::string out;
    std::string value;
    put(value, size_ + kRecordHead + kEndValue);
    put(value, crc_);
    put_record(out, 'E', value);
    return out;
}

Result<void> MaildropParser::feed(std::string_view bytes, std::string* content) {
    if (state_ == State::done && !bytes.empty()) return invalid("bytes after the end");
    rest_ += bytes;
    std::string_view left = rest_;
    if (state_ == State::magic) {
        if (left.substr(0, kMagic.size()) != kMagic.substr(0, left.size()))
            return invalid("not a maildrop file");
        if (left.size() < kMagic.size()) return {};
        size_ = kMagic.size();
        crc_ = crc32c(kMagic);
        left.remove_prefix(kMagic.size());
        state_ = State::envelope;
    }
    while (state_ != State::done && left.size() >= kRecordHead) {
        const std::size_t size = get<std::uint16_t>(left.substr(1, 2));
        if (left.size() < kRecordHead + size) break;
        const std::string_view whole = left.substr(0, kRecordHead + size);
        TRY(record(whole[0], whole.substr(kRecordHead), content));
        size_ += whole.size();
        crc_ = crc32c(whole, crc_);
        left.remove_prefix(whole.size());
    }
    if (state_ == State::done && !left.empty()) return invalid("bytes after the end");
    rest_.erase(0, rest_.size() - left.size());
    return {};
}

Result<void> MaildropParser::record(char type, std::string_view value, std::string* content) {
    if (type == 'D' || type == 'E') {
        if (envelope_.recipients.empty()) return invalid("no recipients");
        state_ = State::content;
        return type == 'D' ? take_content(value, content) : finish(value);
    }
    if (state_ == State::content) return invalid("envelope record within the content");
    return envelope_record(type, value);
}

Result<void> MaildropParser::envelope_record(char type, std::string_view value) {
    switch (type) {
        case 'S': return take_text(envelope_.sender, value, kMaxAddress, 1);
        case 'N': return take_text(envelope_.full_name, value, kMaxText, 2);
        case 'V': return take_text(envelope_.envid, value, kMaxText, 4);
        case 'Y':
            if (value != "full" && value != "hdrs") return invalid("impossible return option");
            return take_text(envelope_.ret, value, kMaxText, 8);
        case 'X':
            if (value.size() != 2) return invalid("impossible VERP delimiters");
            return take_text(envelope_.verp, value, 2, 16);
        case 'O':
            if (value.size() != 1 || value[0] < 1 || value[0] > 15)
                return invalid("impossible notify option");
            envelope_.notify = static_cast<std::uint8_t>(value[0]);
            return {};
        case 'F':
            if (value.size() != 1 || value[0] < 0 || value[0] > 15)
                return invalid("impossible flags");
            envelope_.body_8bit = (value[0] & 1) != 0;
            envelope_.smtputf8 = (value[0] & 2) != 0;
            envelope_.report_all = (value[0] & 4) != 0;
            envelope_.probe = (value[0] & 8) != 0;
            return {};
        case 'Q':
        case 'M':
        case 'T':
        case 'P': return requeue_record(type, value);
        case 'R': return take_recipient(value);
        default: return invalid("record of unknown type");
    }
}

// Only mail of the superuser has been in the queue before.
Result<void> MaildropParser::requeue_record(char type, std::string_view value) {
    if (!limits_.requeued) return invalid("only postsuper may requeue");
    if (type == 'Q') {
        if (!envelope_.requeued.empty() || !envelope_.recipients.empty())
            return invalid("queue id out of order");
        TRY_ASSIGN(envelope_.requeued, QueueId::parse(value));
        return {};
    }
    if (envelope_.requeued.empty() || envelope_.known.size() != envelope_.recipients.size())
        return invalid("facts about no recipient");
    if (type == 'M' || type == 'T') {
        const auto number = parse_number<std::int64_t>(value);
        const bool possible = number && (type == 'M' ? *number >= -9 && *number <= 9 : *number > 0);
        if (!possible || !envelope_.recipients.empty()) return invalid("impossible option");
        if (type == 'M') envelope_.priority = static_cast<int>(*number);
        if (type == 'T') envelope_.release = WallTime(Micros(*number));
        return {};
    }
    const auto space = value.find(' ', 1);
    if (value.empty() || value[0] < '@' || value[0] > 'O' || space == std::string_view::npos)
        return invalid("malformed facts about a recipient");
    RequeuedRecipient& known = envelope_.known.emplace_back();
    known.notify = static_cast<std::uint8_t>(value[0] - '@');
    TRY(take_text(known.orcpt, value.substr(1, space - 1), kMaxAddress, 0));
    return take_text(known.original, value.substr(space + 1), kMaxAddress, 0);
}

Result<void> MaildropParser::take_recipient(std::string_view value) {
    if (envelope_.recipients.size() >= limits_.recipients) return invalid("too many recipients");
    if (value.empty()) return invalid("empty recipient");
    const bool known = envelope_.known.size() == envelope_.recipients.size() + 1;
    if (!envelope_.requeued.empty() && !known) return invalid("recipient without its facts");
    envelope_.recipients.emplace_back();
    return take_text(envelope_.recipients.back(), value, kMaxAddress, 0);
}

Result<void> MaildropParser::take_text(std::string& to, std::string_view value, std::size_t limit,
                                       unsigned once) {
    if ((seen_ & once) != 0) return invalid("record that may occur once occurs twice");
    if (value.size() > limit) return invalid("value too long");
    if (has_control(value)) return invalid("control character in the envelope");
    seen_ |= once;
    to = value;
    return {};
}

// The content has CRLF line ends only: cleanup would refuse anything else, and here the user still
// hears it.
Result<void> MaildropParser::take_content(std::string_view bytes, std::string* content) {
    if (bytes.empty()) return invalid("empty content record");
    for (std::size_t at = bytes.find('\n'); at != std::string_view::npos;
         at = bytes.find('\n', at + 1))
        if ((at > 0 ? bytes[at - 1] : last_) != '\r')
            return invalid("bare line feed in the content");
    last_ = bytes.back();
    content_size_ += bytes.size();
    if (content_size_ > limits_.content) return Error{Errc::no_space, "message file too big"};
    if (content != nullptr) *content += bytes;
    return {};
}

Result<void> MaildropParser::finish(std::string_view value) {
    if (value.size() != kEndValue) return invalid("malformed end record");
    if (get<std::uint64_t>(value) != size_ + kRecordHead + kEndValue)
        return invalid("end record of another size");
    if (get<std::uint32_t>(value.substr(8)) != crc_) return invalid("wrong checksum");
    state_ = State::done;
    return {};
}

Result<MaildropEnvelope> read_maildrop_envelope(sys::Fs& fs, int fd) {
    MaildropParser parser({.requeued = true});
    for (std::uint64_t at = 0; !parser.complete();) {
        TRY_ASSIGN(const std::string bytes, fs.read_at(fd, at, kReadSize));
        if (bytes.empty()) return Error{Errc::closed, "maildrop file: not complete"};
        TRY(parser.feed(bytes, nullptr));
        at += bytes.size();
    }
    return parser.envelope();
}

}  // namespace postern::queue
