#include "lib/mailbox/changes.h"

#include <cstring>

#include "lib/mailbox/flags.h"
#include "lib/mailbox/message_name.h"

namespace postern::mailbox {
namespace {

enum class Kind : std::uint8_t { add = 1, flags, expunge, name, keyword, seen, numbers };

// Expunges carry a second mark, so that a damaged record of another kind is not taken for one.
constexpr std::uint32_t kExpungeGuard = 0x45585055;

class Reader {
  public:
    explicit Reader(std::string_view bytes) : rest_(bytes) {}

    bool at_end() const { return rest_.empty(); }
    template <class T>
    bool get(T& value) {
        if (rest_.size() < sizeof value) return false;
        std::memcpy(&value, rest_.data(), sizeof value);
        rest_.remove_prefix(sizeof value);
        return true;
    }
    bool get_text(std::string_view& text) {
        std::uint16_t size = 0;
        if (!get(size) || rest_.size() < size) return false;
        text = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return true;
    }
    template <class Use>
    bool each_range(Use use) {
        std::uint32_t count = 0;
        if (!get(count)) return false;
        for (std::uint32_t i = 0; i < count; ++i) {
            UidRange range;
            if (!get(range) || range.first == 0 || range.first > range.last) return false;
            use(range);
        }
        return true;
    }

  private:
    std::string_view rest_;
};

bool read_new(Reader& in, std::uint64_t modseq, ChangeSink& sink) {
    NewMessage m;
    if (!in.get(m.uid) || !in.get(m.flags) || !in.get(m.place) || !in.get(m.keywords) ||
        !in.get(m.modseq) || !in.get(m.wire_size) || !in.get(m.date) || !in.get_text(m.name))
        return false;
    if (m.uid == 0 || !is_message_name(m.name)) return false;
    m.flags &= kAllSystemFlags;
    m.place &= place::kOnDisk;
    sink.on_new(m, m.modseq != 0 ? m.modseq : modseq);
    return true;
}

bool read_one(Kind kind, Reader& in, std::uint64_t modseq, ChangeSink& sink) {
    switch (kind) {
        case Kind::add: return read_new(in, modseq, sink);
        case Kind::flags: {
            FlagChange change;
            if (!in.get(change.add) || !in.get(change.remove) || !in.get(change.add_keywords) ||
                !in.get(change.remove_keywords))
                return false;
            return in.each_range([&](UidRange uids) { sink.on_flags(change, uids, modseq); });
        }
        case Kind::expunge: {
            std::uint32_t guard = 0;
            if (!in.get(guard) || guard != kExpungeGuard) return false;
            return in.each_range([&](UidRange uids) { sink.on_expunge(uids, modseq); });
        }
        case Kind::name: {
            std::uint32_t uid = 0;
            std::uint8_t place = 0;
            std::string_view name;
            if (!in.get(uid) || !in.get(place) || !in.get_text(name) || !is_message_name(name))
                return false;
            sink.on_name(uid, place & place::kOnDisk, name);
            return true;
        }
        case Kind::keyword: {
            std::uint8_t bit = 0;
            std::string_view name;
            if (!in.get(bit) || !in.get_text(name) || bit >= kMaxKeywords) return false;
            sink.on_keyword(bit, name);
            return true;
        }
        case Kind::seen: {
            SeenState seen;
            if (!in.get(seen)) return false;
            sink.on_seen(seen);
            return true;
        }
        case Kind::numbers: {
            std::uint32_t next = 0, recent = 0;
            if (!in.get(next) || !in.get(recent)) return false;
            sink.on_numbers(next, recent);
            return true;
        }
    }
    return false;  // of a later version
}

}  // namespace

std::vector<UidRange> to_ranges(std::span<const std::uint32_t> uids) {
    std::vector<UidRange> ranges;
    for (const std::uint32_t uid : uids) {
        if (!ranges.empty() && ranges.back().last + 1 == uid)
            ranges.back().last = uid;
        else
            ranges.push_back({uid, uid});
    }
    return ranges;
}

template <class T>
void ChangeWriter::put(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    payload_.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void ChangeWriter::put_ranges(std::span<const UidRange> uids) {
    put(static_cast<std::uint32_t>(uids.size()));
    for (const UidRange& range : uids) put(range);
}

void ChangeWriter::put_text(std::string_view text) {
    text = text.substr(0, UINT16_MAX);
    put(static_cast<std::uint16_t>(text.size()));
    payload_ += text;
}

void ChangeWriter::add(const NewMessage& m) {
    concerns_messages_ = true;
    put(Kind::add);
    put(m.uid);
    put(m.flags);
    put(static_cast<std::uint8_t>(m.place & place::kOnDisk));
    put(m.keywords);
    put(m.modseq);
    put(m.wire_size);
    put(m.date);
    put_text(m.name);
}

void ChangeWriter::flags(const FlagChange& change, std::span<const UidRange> uids) {
    concerns_messages_ = true;
    put(Kind::flags);
    put(change.add);
    put(change.remove);
    put(change.add_keywords);
    put(change.remove_keywords);
    put_ranges(uids);
}

void ChangeWriter::expunge(std::span<const UidRange> uids) {
    concerns_messages_ = true;
    put(Kind::expunge);
    put(kExpungeGuard);
    put_ranges(uids);
}

void ChangeWriter::name(std::uint32_t uid, std::uint8_t place, std::string_view name) {
    put(Kind::name);
    put(uid);
    put(static_cast<std::uint8_t>(place & place::kOnDisk));
    put_text(name);
}

void ChangeWriter::keyword(unsigned bit, std::string_view name) {
    put(Kind::keyword);
    put(static_cast<std::uint8_t>(bit));
    put_text(name);
}

void ChangeWriter::seen(const SeenState& seen) {
    put(Kind::seen);
    put(seen);
}

void ChangeWriter::numbers(std::uint32_t next_uid, std::uint32_t first_recent) {
    put(Kind::numbers);
    put(next_uid);
    put(first_recent);
}

bool read_changes(std::string_view payload, std::uint64_t modseq, ChangeSink& sink) {
    Reader in(payload);
    while (!in.at_end()) {
        Kind kind{};
        if (!in.get(kind) || !read_one(kind, in, modseq, sink)) return false;
    }
    return true;
}

}  // namespace postern::mailbox
