#include "lib/queue/format.h"

#include <optional>
#include <utility>

#include "lib/base/crc32c.h"
#include "lib/base/strings.h"

namespace postern::queue::format {
namespace {

// All numbers in the file are little-endian.
template <class T>
void put(std::string& out, T value) {
    for (std::size_t i = 0; i < sizeof(T); ++i)
        out.push_back(static_cast<char>((value >> (8 * i)) & 0xff));
}

template <class T>
T get(std::string_view bytes, std::size_t at) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i)
        value |= std::uint64_t{static_cast<unsigned char>(bytes[at + i])} << (8 * i);
    return static_cast<T>(value);
}

// Takes numbers and texts from the front; a text that is too short sets failed().
class Cursor {
  public:
    explicit Cursor(std::string_view bytes) : rest_(bytes) {}

    template <class T>
    T number() {
        if (rest_.size() < sizeof(T)) return fail<T>();
        const T value = get<T>(rest_, 0);
        rest_.remove_prefix(sizeof(T));
        return value;
    }
    std::string_view text(std::size_t size) {
        if (rest_.size() < size) return fail<std::string_view>();
        const std::string_view out = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return out;
    }
    std::string_view rest() const { return rest_; }
    bool failed() const { return failed_; }

  private:
    template <class T>
    T fail() {
        failed_ = true;
        rest_ = {};
        return T{};
    }

    std::string_view rest_;
    bool failed_ = false;
};

Error corrupt(std::string_view what) { return {Errc::corrupt, cat({"queue file: ", what})}; }

// A value too long for a record is cut: cleanup's own limits are far below.
void put_record(std::string& out, char type, std::string_view value) {
    value = value.substr(0, kMaxValue);
    out.push_back(type);
    put(out, static_cast<std::uint16_t>(value.size()));
    out += value;
}

void put_text(std::string& out, std::string_view text) {
    text = text.substr(0, kMaxValue / 4);
    put(out, static_cast<std::uint16_t>(text.size()));
    out += text;
}

template <class T>
void put_number_record(std::string& out, char type, T value) {
    std::string bytes;
    put(bytes, value);
    put_record(out, type, bytes);
}

void put_recipient(std::string& out, char type, const Recipient& r) {
    std::string value;
    value.reserve(8 + r.address.size() + r.original.size() + r.orcpt.size());
    value.push_back(kStatusOpen);
    value.push_back(static_cast<char>(r.notify));
    put_text(value, r.address);
    put_text(value, r.original);
    put_text(value, r.orcpt);
    put_record(out, type, value);
}

Result<Recipient> parse_recipient(std::string_view value) {
    Cursor in(value);
    Recipient r;
    const char status = static_cast<char>(in.number<std::uint8_t>());
    r.notify = in.number<std::uint8_t>();
    r.address = in.text(in.number<std::uint16_t>());
    r.original = in.text(in.number<std::uint16_t>());
    r.orcpt = in.text(in.number<std::uint16_t>());
    if (in.failed() || !in.rest().empty()) return corrupt("malformed recipient record");
    if (status != kStatusOpen && status != kStatusDone) return corrupt("unknown recipient status");
    if (r.address.empty()) return corrupt("empty recipient");
    r.done = status == kStatusDone;
    return r;
}

Result<void> take_attribute(Envelope& envelope, std::string_view value) {
    const auto parts = split_once(value, '=');
    if (!parts || parts->first.empty()) return corrupt("malformed attribute record");
    envelope.attributes.push_back({std::string(parts->first), std::string(parts->second)});
    return {};
}

template <class T>
Result<T> number_value(std::string_view value) {
    if (value.size() != sizeof(T)) return corrupt("number record of wrong size");
    return get<T>(value, 0);
}

// One record other than the recipient's. A type in lower case that we do not know may be skipped,
// one in upper case may not: the version rule of the format.
Result<void> take_record(Envelope& envelope, char type, std::string_view value) {
    switch (type) {
        case 'Q': {
            TRY_ASSIGN(envelope.id, QueueId::parse(value));
            return {};
        }
        case 'T': {
            TRY_ASSIGN(const std::uint64_t micros, number_value<std::uint64_t>(value));
            envelope.arrival = WallTime(Micros(static_cast<std::int64_t>(micros)));
            return {};
        }
        case 'F': {
            TRY_ASSIGN(envelope.flags, number_value<std::uint32_t>(value));
            return {};
        }
        case 'S': envelope.sender = value; return {};
        case 'A': return take_attribute(envelope, value);
        case 'x': {
            if (envelope.expanded.size() >= kMaxRecipients) return corrupt("too many recipients");
            TRY_ASSIGN(Recipient expanded, parse_recipient(value));
            envelope.expanded.push_back(std::move(expanded));
            return {};
        }
        default:
            if (type >= 'a' && type <= 'z') return {};
            return corrupt("record of unknown type");
    }
}

}  // namespace

std::string file_header(std::uint16_t flags) {
    std::string out(kMagic);
    put(out, kVersion);
    put(out, flags);
    out.resize(kHeaderSize, '\0');
    return out;
}

Result<void> check_file_header(std::string_view bytes) {
    if (bytes.size() < kHeaderSize || !bytes.starts_with(kMagic))
        return corrupt("not a queue file");
    if (get<std::uint16_t>(bytes, kMagic.size()) != kVersion)
        return Error{Errc::invalid, "queue file: written by another version of this format"};
    return {};
}

std::uint16_t header_flags(std::string_view bytes) {
    return get<std::uint16_t>(bytes, kMagic.size() + sizeof kVersion);
}

void append_index_entry(std::string& out, const IndexEntry& entry) {
    put(out, entry.envelope_offset);
    put(out, entry.body_offset);
    put(out, entry.body_size);
    put(out, entry.envelope_size);
    put(out, entry.envelope_crc);
    put(out, entry.body_crc);
    put(out, entry.reserved);
}

IndexEntry parse_index_entry(std::string_view bytes) {
    POSTERN_CHECK(bytes.size() == kIndexEntrySize);
    IndexEntry entry;
    entry.envelope_offset = get<std::uint64_t>(bytes, 0);
    entry.body_offset = get<std::uint64_t>(bytes, 8);
    entry.body_size = get<std::uint64_t>(bytes, 16);
    entry.envelope_size = get<std::uint32_t>(bytes, 24);
    entry.envelope_crc = get<std::uint32_t>(bytes, 28);
    entry.body_crc = get<std::uint32_t>(bytes, 32);
    entry.reserved = get<std::uint32_t>(bytes, 36);
    return entry;
}

std::string finish(const std::string& index, std::uint64_t index_offset, std::uint16_t flags) {
    std::string end;
    put(end, index_offset);
    put(end, index_offset + index.size() + kEndSize);
    put(end, static_cast<std::uint32_t>(index.size() / kIndexEntrySize));
    put(end, end_crc(file_header(flags), index, end));
    end += kEndMagic;
    return index + end;
}

Result<End> parse_end(std::string_view bytes, std::uint64_t file_size) {
    if (bytes.size() != kEndSize || bytes.substr(24) != kEndMagic)
        return corrupt("no end record: not committed");
    End end;
    end.index_offset = get<std::uint64_t>(bytes, 0);
    end.total_size = get<std::uint64_t>(bytes, 8);
    end.count = get<std::uint32_t>(bytes, 16);
    end.crc = get<std::uint32_t>(bytes, 20);
    if (end.total_size != file_size) return corrupt("end record of a file of another size");
    if (end.count == 0 || end.count > kMaxMessages) return corrupt("impossible number of messages");
    const std::uint64_t index_size = std::uint64_t{end.count} * kIndexEntrySize;
    if (file_size < kHeaderSize + index_size + kEndSize ||
        end.index_offset != file_size - kEndSize - index_size)
        return corrupt("index out of place");
    return end;
}

std::uint32_t end_crc(std::string_view header, std::string_view index,
                      std::string_view end_record) {
    return crc32c(end_record.substr(0, 20), crc32c(index, crc32c(header)));
}

std::string encode_envelope(const Envelope& envelope) {
    std::string out;
    out.reserve(512 + envelope.recipients.size() * 80);
    put_record(out, 'Q', envelope.id.str());
    put_number_record(out, 'T',
                      static_cast<std::uint64_t>(envelope.arrival.time_since_epoch().count()));
    put_number_record(out, 'F', envelope.flags);
    put_record(out, 'S', envelope.sender);
    for (const Attribute& a : envelope.attributes)
        put_record(out, 'A', cat({a.name, "=", a.value}));
    for (const Recipient& r : envelope.recipients)
        if (!r.done) put_recipient(out, 'R', r);
    for (const Recipient& r : envelope.expanded) put_recipient(out, 'x', r);
    put_record(out, 'E', {});
    return out;
}

Result<Envelope> decode_envelope(std::string& bytes, std::uint64_t offset) {
    constexpr std::size_t kRecordHead = 3;
    Envelope envelope;
    std::size_t at = 0;
    for (;;) {
        if (bytes.size() - at < kRecordHead) return corrupt("envelope ends early");
        const char type = bytes[at];
        const std::size_t size = get<std::uint16_t>(bytes, at + 1);
        const std::size_t begin = at + kRecordHead;
        if (bytes.size() - begin < size) return corrupt("record longer than its envelope");
        const std::string_view value = std::string_view(bytes).substr(begin, size);
        at = begin + size;
        if (type == 'E') break;
        if (type != 'R') {
            TRY(take_record(envelope, type, value));
            continue;
        }
        if (envelope.recipients.size() >= kMaxRecipients) return corrupt("too many recipients");
        TRY_ASSIGN(Recipient recipient, parse_recipient(value));
        recipient.status_offset = offset + begin;
        bytes[begin] = kStatusOpen;
        envelope.recipients.push_back(std::move(recipient));
    }
    if (at != bytes.size()) return corrupt("bytes after the envelope's end");
    if (envelope.id.empty()) return corrupt("no queue id");
    return envelope;
}

}  // namespace postern::queue::format
