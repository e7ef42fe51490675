#include "lib/log/record.h"

#include <algorithm>

#include "lib/base/crc32c.h"

namespace postern::log {
namespace {

// magic (2), version, level and flags, length of the payload (2), CRC-32C of all but itself (4)
constexpr std::string_view kMagic = "\xF7T";
constexpr std::size_t kHead = 10, kCrcAt = 6;
constexpr std::size_t kLeastHole = 512;  // zeros; fewer are damage
constexpr std::uint8_t kNotLogged = 0x80;
constexpr std::size_t kFixed = 8 + 4;  // time, process id
constexpr std::size_t kMaxProgram = 64, kMaxId = 64, kMaxText = 4096, kMaxKey = 32, kMaxFields = 32;

void put(std::string& to, std::uint64_t number, std::size_t bytes) {
    for (std::size_t i = 0; i < bytes; ++i) to += static_cast<char>(number >> (8 * i));
}

void put_text(std::string& to, std::string_view text, std::size_t most, std::size_t length_bytes) {
    text = text.substr(0, most);
    put(to, text.size(), length_bytes);
    to += text;
}

std::uint64_t number_at(std::string_view bytes, std::size_t at, std::size_t count) {
    std::uint64_t number = 0;
    for (std::size_t i = count; i-- > 0;)
        number = number << 8 | static_cast<unsigned char>(bytes[at + i]);
    return number;
}

// Takes what put_text wrote off the front; false when it is not all there.
bool take(std::string_view& from, std::string& text, std::size_t length_bytes) {
    if (from.size() < length_bytes) return false;
    const std::size_t length = number_at(from, 0, length_bytes);
    if (from.size() - length_bytes < length) return false;
    text = from.substr(length_bytes, length);
    from.remove_prefix(length_bytes + length);
    return true;
}

bool read_payload(std::string_view payload, Record& record) {
    if (payload.size() < kFixed) return false;
    record.time = WallTime(Micros(static_cast<std::int64_t>(number_at(payload, 0, 8))));
    record.pid = static_cast<std::uint32_t>(number_at(payload, 8, 4));
    payload.remove_prefix(kFixed);
    if (!take(payload, record.program, 1) || !take(payload, record.id, 1) ||
        !take(payload, record.text, 2) || payload.empty())
        return false;
    std::size_t fields = static_cast<unsigned char>(payload[0]);
    payload.remove_prefix(1);
    for (; fields > 0; --fields) {
        auto& [key, value] = record.fields.emplace_back();
        if (!take(payload, key, 1) || !take(payload, value, 2)) return false;
    }
    return payload.empty();
}

std::uint32_t crc_of(std::string_view record) {
    return crc32c(record.substr(kHead), crc32c(record.substr(0, kCrcAt)));
}

}  // namespace

std::string_view Record::field(std::string_view key) const {
    for (const auto& [name, value] : fields) {
        if (name == key) return value;
    }
    return {};
}

std::string encode(const Record& record) {
    std::string out(kMagic);
    out += static_cast<char>(kRecordVersion);
    out += static_cast<char>((record.level & 0x7F) | (record.logged ? 0 : kNotLogged));
    out.append(kHead - out.size(), '\0');
    put(out, static_cast<std::uint64_t>(record.time.time_since_epoch().count()), 8);
    put(out, record.pid, 4);
    put_text(out, record.program, kMaxProgram, 1);
    put_text(out, record.id, kMaxId, 1);
    put_text(out, record.text, kMaxText, 2);
    const std::size_t count_at = out.size();
    std::size_t count = 0;
    out += '\0';
    for (const auto& [key, value] : record.fields) {
        if (count == kMaxFields || key.size() > kMaxKey ||
            out.size() + key.size() + value.size() + 3 > kMaxRecord)
            continue;
        put_text(out, key, kMaxKey, 1);
        put_text(out, value, kMaxRecord, 2);
        ++count;
    }
    out[count_at] = static_cast<char>(count);
    const std::size_t payload = out.size() - kHead;
    out[4] = static_cast<char>(payload & 0xFF);
    out[5] = static_cast<char>(payload >> 8);
    std::string crc;
    put(crc, crc_of(out), 4);
    out.replace(kCrcAt, crc.size(), crc);
    return out;
}

RecordScanner::Found RecordScanner::look(Record& record) {
    const std::string_view rest = bytes_.substr(at_);
    if (!kMagic.starts_with(rest.substr(0, kMagic.size()))) return Found::nothing;
    if (rest.size() < kHead) return Found::incomplete;
    const std::size_t size = kHead + number_at(rest, 4, 2);
    if (size > kMaxRecord) return Found::nothing;
    if (rest.size() < size) return Found::incomplete;
    const std::string_view whole = rest.substr(0, size);
    if (crc_of(whole) != number_at(whole, kCrcAt, 4)) return Found::nothing;
    record = Record();
    if (static_cast<std::uint8_t>(whole[2]) != kRecordVersion) {
        ++foreign_;
        at_ += size;
        return Found::foreign;
    }
    const auto flags = static_cast<std::uint8_t>(whole[3]);
    record.level = flags & 0x7F;
    record.logged = (flags & kNotLogged) == 0;
    if (!read_payload(whole.substr(kHead), record)) return Found::nothing;
    at_ += size;
    return Found::record;
}

std::optional<Record> RecordScanner::next() {
    Record record;
    while (at_ < bytes_.size()) {
        const Found found = look(record);
        if (found == Found::record || found == Found::foreign) after_hole_ = false;
        if (found == Found::record) return record;
        if (found == Found::foreign) continue;
        if (found == Found::incomplete && more_) return std::nullopt;
        if (bytes_[at_] == '\0') {  // many at once
            const std::size_t end = std::min(bytes_.find_first_not_of('\0', at_), bytes_.size());
            const bool hole = end - at_ >= kLeastHole;
            after_hole_ = after_hole_ || hole;
            if (!after_hole_) skipped_ += end - at_;
            at_ = end;
            continue;
        }
        const std::size_t magic = std::min(bytes_.find(kMagic[0], at_ + 1), bytes_.size());
        const std::size_t next = std::min(bytes_.find('\0', at_ + 1), magic);
        if (!after_hole_) skipped_ += next - at_;
        at_ = next;
    }
    return std::nullopt;
}

}  // namespace postern::log
