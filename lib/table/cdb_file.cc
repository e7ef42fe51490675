// The file begins with 256 pairs (position, number of slots) of little-endian 32-bit numbers, one
// for each hash table. Then come the records (key length, value length, key, value), then the hash
// tables: slots of (hash, position of the record; 0: empty). A key of hash h is in table h % 256,
// from slot h / 256 % slots on.
#include "lib/table/cdb_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <vector>

#include "lib/base/fd.h"
#include "lib/base/strings.h"
#include "lib/sys/error.h"
#include "lib/sys/fs.h"
#include "lib/sys/mapped_file.h"

namespace postern::table {
namespace {

constexpr std::size_t kTables = 256;
constexpr std::size_t kHeader = kTables * 8;
constexpr std::uint64_t kMaxFile = UINT32_MAX;
constexpr std::size_t kMaxValue = 64u << 20;
constexpr std::size_t kShortRecord = 256;

std::uint32_t hash_of(std::string_view key) {
    std::uint32_t hash = 5381;
    for (const char c : key) hash = ((hash << 5) + hash) ^ static_cast<unsigned char>(c);
    return hash;
}

std::uint32_t number_at(std::string_view bytes, std::size_t at) {
    std::uint32_t number = 0;
    for (std::size_t i = 4; i-- > 0;)
        number = number << 8 | static_cast<unsigned char>(bytes[at + i]);
    return number;
}

void put_number(std::string& out, std::size_t at, std::uint32_t number) {
    for (std::size_t i = 0; i < 4; ++i) out[at + i] = static_cast<char>(number >> (8 * i));
}

void append_numbers(std::string& out, std::uint32_t first, std::uint32_t second) {
    out.resize(out.size() + 8);
    put_number(out, out.size() - 8, first);
    put_number(out, out.size() - 4, second);
}

constexpr std::uint64_t kMaxKept = 32u << 20;  // two million entries

class CdbReader final : public MapFile {
  public:
    CdbReader(Fd file, std::string path, std::uint64_t size)
        : file_(std::move(file)), path_(std::move(path)), size_(size) {}

    Result<void> start() {
        TRY_ASSIGN(header_, bytes(0, kHeader));
        return {};
    }

    // Only now: who truncates a mapped file ends the process with the next lookup, and a daemon is
    // not to depend on that. Where it cannot be mapped, it is read as ever.
    void expect_many() override {
        if (!whole_.bytes().empty()) return;
        if (auto mapped = sys::MappedFile::map(file_.get(), size_)) whole_ = *std::move(mapped);
    }

    Lookup<std::string> get(std::string_view key) override {
        const std::uint32_t hash = hash_of(key);
        const std::uint64_t table = number_at(header_, hash % kTables * 8);
        const std::uint64_t slots = number_at(header_, hash % kTables * 8 + 4);
        if (slots == 0) return NotFound{};
        if (table + slots * 8 > size_) return damaged();
        std::string read_now;
        TRY_ASSIGN(const std::string_view known, slots_of(hash % kTables, table, slots));
        for (std::uint64_t i = 0, slot = (hash >> 8) % slots; i < slots;
             ++i, slot = (slot + 1) % slots) {
            if (known.empty()) {
                TRY_ASSIGN(read_now, bytes(table + slot * 8, 8));
            }
            const std::string_view entry = known.empty() ? read_now : known.substr(slot * 8, 8);
            const std::uint32_t position = number_at(entry, 4);
            if (position == 0) return NotFound{};
            if (number_at(entry, 0) != hash) continue;
            auto value = value_at(position, key);
            if (!value.not_found()) return value;
        }
        return NotFound{};
    }

    Result<void> each(const Visitor& visit) override {
        const std::uint64_t end = number_at(header_, 0);  // the first table follows the last record
        for (std::uint64_t at = kHeader; at < end;) {
            TRY_ASSIGN(const std::string lengths, bytes(at, 8));
            const std::uint64_t key = number_at(lengths, 0), value = number_at(lengths, 4);
            if (at + 8 + key + value > end) return damaged();
            TRY_ASSIGN(const std::string both, bytes(at + 8, key + value));
            visit(std::string_view(both).substr(0, key), std::string_view(both).substr(key));
            at += 8 + key + value;
        }
        return {};
    }

    Result<bool> put(std::string_view, std::string_view, bool) override { return read_only(); }
    Result<bool> remove(std::string_view) override { return read_only(); }
    Result<void> sync() override { return Error{Errc::invalid, "cdb: written whole only"}; }
    Result<void> close() override { return {}; }

  private:
    // The slots of one of the 256 tables: read when first wanted and kept, as long as all that is
    // kept stays small; nothing when they are too many.
    Result<std::string_view> slots_of(std::size_t number, std::uint64_t at, std::uint64_t count) {
        if (!whole_.bytes().empty()) return whole_.bytes().substr(at, count * 8);
        std::string& kept = slots_[number];
        if (!kept.empty()) return std::string_view(kept);
        if (kept_ + count * 8 > kMaxKept) return std::string_view();
        TRY_ASSIGN(kept, bytes(at, count * 8));
        kept_ += kept.size();
        return std::string_view(kept);
    }

    Lookup<std::string> value_in_whole(std::uint64_t position, std::string_view key) const {
        const std::string_view record = whole_.bytes().substr(position);
        const std::uint64_t size = number_at(record, 0), value = number_at(record, 4);
        if (8 + size + value > record.size()) return damaged();
        if (record.substr(8, size) != key) return NotFound{};
        return std::string(record.substr(8 + size, value));
    }

    // Most records are short: one read brings lengths, key and value.
    Lookup<std::string> value_at(std::uint64_t position, std::string_view key) {
        if (position + 8 > size_) return damaged();
        if (!whole_.bytes().empty()) return value_in_whole(position, key);
        std::array<char, kShortRecord> buffer;
        const std::size_t wanted = std::min<std::uint64_t>(size_ - position, kShortRecord);
        const ssize_t got =
            ::pread(file_.get(), buffer.data(), wanted, static_cast<off_t>(position));
        if (got < 0) return sys::system_error(cat({"read ", path_}));
        if (static_cast<std::size_t>(got) != wanted) return damaged();
        const std::string_view start(buffer.data(), wanted);
        const std::uint64_t value = number_at(start, 4);
        if (number_at(start, 0) != key.size()) return NotFound{};
        if (8 + key.size() + value <= start.size()) {
            if (start.substr(8, key.size()) != key) return NotFound{};
            return std::string(start.substr(8 + key.size(), value));
        }
        TRY_ASSIGN(std::string both, bytes(position + 8, key.size() + value));
        if (!both.starts_with(key)) return NotFound{};
        return both.substr(key.size());
    }

    Result<std::string> bytes(std::uint64_t at, std::uint64_t count) {
        if (count > kMaxValue || at + count > size_) return damaged();
        TRY_ASSIGN(std::string found, sys::RealFs::instance().read_at(file_.get(), at, count));
        if (found.size() != count) return damaged();
        return found;
    }

    Error damaged() const {
        return {Errc::corrupt, cat({"read ", path_, ": the file is damaged"})};
    }
    Error read_only() const {
        return {Errc::invalid, cat({"write ", path_, ": open for reading only"})};
    }

    Fd file_;
    std::string path_;
    std::uint64_t size_;
    std::string header_;
    std::array<std::string, kTables> slots_;
    std::uint64_t kept_ = 0;  // bytes in slots_
    sys::MappedFile whole_;   // where many keys are asked for
};

// All records in memory; the finished file is written by close().
class CdbWriter final : public MapFile {
  public:
    CdbWriter(std::string path) : path_(std::move(path)), records_(kHeader, '\0') {
        index_.resize(1024);
    }

    Result<void> start_with(MapFile& old) {
        return old.each([&](std::string_view key, std::string_view value) { append(key, value); });
    }

    Lookup<std::string> get(std::string_view key) override {
        const Slot* slot = find(key);
        if (slot == nullptr) return NotFound{};
        return std::string(value_of(*slot));
    }

    Result<bool> put(std::string_view key, std::string_view value, bool overwrite) override {
        if (const Slot* old = find(key); old != nullptr) {
            if (!overwrite) return false;
            kill(*old);
        }
        if (records_.size() + key.size() + value.size() + (count_ + 1) * 16 + 8 > kMaxFile) {
            return Error{Errc::no_space,
                         cat({"write ", path_, ": a cdb file cannot be larger than 4 GB"})};
        }
        append(key, value);
        return true;
    }

    Result<bool> remove(std::string_view key) override {
        const Slot* old = find(key);
        if (old == nullptr) return false;
        kill(*old);
        return true;
    }

    Result<void> each(const Visitor& visit) override {
        for (const std::uint32_t position : positions_) {
            if (position != 0) visit(key_at(position), value_at(position));
        }
        return {};
    }

    Result<void> sync() override { return Error{Errc::invalid, "cdb: written whole only"}; }
    Result<void> close() override {
        if (dead_ > 0) compact();
        append_tables();
        auto& fs = sys::RealFs::instance();
        TRY_ASSIGN(const Fd file, fs.open(path_, O_WRONLY, 0));
        TRY(fs.truncate(file.get(), 0));
        if (auto written = fs.write(file.get(), records_); !written)
            return std::move(written).error().within(path_);
        return {};
    }

  private:
    // Open addressing over all live records; order in positions_.
    struct Slot {
        std::uint32_t hash = 0;
        std::uint32_t order = 0;  // index into positions_, plus 1; 0: never used
    };

    std::string_view key_at(std::uint32_t position) const {
        return std::string_view(records_).substr(position + 8, number_at(records_, position));
    }
    std::string_view value_at(std::uint32_t position) const {
        return std::string_view(records_).substr(position + 8 + number_at(records_, position),
                                                 number_at(records_, position + 4));
    }
    std::string_view value_of(const Slot& slot) const {
        return value_at(positions_[slot.order - 1]);
    }

    const Slot* find(std::string_view key) const {
        const std::uint32_t hash = hash_of(key);
        for (std::size_t at = start_of(hash);; at = (at + 1) % index_.size()) {
            const Slot& slot = index_[at];
            if (slot.order == 0) return nullptr;
            const std::uint32_t position = positions_[slot.order - 1];
            if (slot.hash == hash && position != 0 && key_at(position) == key) return &slot;
        }
    }

    // cdb's hash is weak in its low bits; the index spreads it.
    std::size_t start_of(std::uint32_t hash) const {
        return (std::uint64_t{hash} * 0x9e3779b97f4a7c15ull >> 20) % index_.size();
    }

    void insert(std::uint32_t hash, std::uint32_t order) {
        std::size_t at = start_of(hash);
        while (index_[at].order != 0) at = (at + 1) % index_.size();
        index_[at] = {hash, order};
    }

    void append(std::string_view key, std::string_view value) {
        if (positions_.size() * 2 >= index_.size()) grow();
        const auto position = static_cast<std::uint32_t>(records_.size());
        append_numbers(records_, static_cast<std::uint32_t>(key.size()),
                       static_cast<std::uint32_t>(value.size()));
        records_.append(key).append(value);
        positions_.push_back(position);
        insert(hash_of(key), static_cast<std::uint32_t>(positions_.size()));
        ++count_;
    }

    void grow() {
        const std::vector<Slot> old = std::move(index_);
        index_.assign(old.size() * 4, Slot{});
        for (const Slot& slot : old) {
            if (slot.order != 0) insert(slot.hash, slot.order);
        }
    }

    void kill(const Slot& slot) {
        positions_[slot.order - 1] = 0;
        --count_;
        ++dead_;
    }

    void compact() {
        std::string kept(kHeader, '\0');
        for (std::uint32_t& position : positions_) {
            if (position == 0) continue;
            const auto moved = static_cast<std::uint32_t>(kept.size());
            const std::size_t size = 8 + key_at(position).size() + value_at(position).size();
            kept.append(records_, position, size);
            position = moved;
        }
        records_ = std::move(kept);
    }

    void append_tables() {
        std::array<std::vector<std::pair<std::uint32_t, std::uint32_t>>, kTables> tables;
        for (const std::uint32_t position : positions_) {
            if (position == 0) continue;
            const std::uint32_t hash = hash_of(key_at(position));
            tables[hash % kTables].emplace_back(hash, position);
        }
        std::vector<std::pair<std::uint32_t, std::uint32_t>> slots;
        for (std::size_t i = 0; i < kTables; ++i) {
            slots.assign(tables[i].size() * 2, {0, 0});
            put_number(records_, i * 8, static_cast<std::uint32_t>(records_.size()));
            put_number(records_, i * 8 + 4, static_cast<std::uint32_t>(slots.size()));
            for (const auto& entry : tables[i]) {
                std::size_t at = (entry.first >> 8) % slots.size();
                while (slots[at].second != 0) at = (at + 1) % slots.size();
                slots[at] = entry;
            }
            for (const auto& [hash, position] : slots) append_numbers(records_, hash, position);
        }
    }

    std::string path_;
    std::string records_;
    std::vector<std::uint32_t> positions_;  // of records, in order; 0: removed
    std::vector<Slot> index_;
    std::size_t count_ = 0, dead_ = 0;
};

Result<std::unique_ptr<MapFile>> open_reader(const std::string& path) {
    auto& fs = sys::RealFs::instance();
    TRY_ASSIGN(Fd file, fs.open(path, O_RDONLY, 0));
    TRY_ASSIGN(const auto info, fs.info(file.get()));
    auto reader = std::make_unique<CdbReader>(std::move(file), path, info.size);
    TRY(reader->start());
    return std::unique_ptr<MapFile>(std::move(reader));
}

}  // namespace

Result<std::unique_ptr<MapFile>> open_cdb(const std::string& path, MapMode mode) {
    if (mode == MapMode::read) return open_reader(path);
    auto writer = std::make_unique<CdbWriter>(path);
    if (mode == MapMode::write) {
        TRY_ASSIGN(const auto old, open_reader(path));
        TRY(writer->start_with(*old));
    }
    return std::unique_ptr<MapFile>(std::move(writer));
}

}  // namespace postern::table
