// The structs of postern.index and postern.log as they are on disk: little-endian, explicit widths.
// doc/formats/mailbox.md describes the files around them.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace postern::mailbox {

static_assert(std::endian::native == std::endian::little, "the files are read as they are");

inline constexpr std::uint64_t kUnknownSize = ~std::uint64_t{0};
inline constexpr std::int64_t kUnknownDate = INT64_MIN;

// One of these structs, or a number of them, as it is written.
template <class T>
std::string_view bytes_of(const T& value) {
    return {reinterpret_cast<const char*>(&value), sizeof value};
}

// One message. In memory a row has bits of its session as well, which are never written.
struct IndexRow {
    std::uint32_t uid;
    std::uint8_t flags;       // SystemFlags
    std::uint8_t place;       // Place bits
    std::uint16_t name_size;  // of the file's name, with ":2,FLAGS"
    std::uint64_t keywords;   // KeywordBits; bit 0 is $Forwarded
    std::uint64_t modseq;     // of the last change of flags, RFC 7162
    std::uint64_t wire_size;  // RFC822.SIZE, or kUnknownSize
    std::int64_t date;        // INTERNALDATE in seconds, or kUnknownDate
    std::uint64_t cache;      // offset of its entry in postern.cache, or 0
    std::uint64_t name;       // offset of its name in the names
};
static_assert(sizeof(IndexRow) == 56);
static_assert(offsetof(IndexRow, keywords) == 8);
static_assert(offsetof(IndexRow, name) == 48);

namespace place {
inline constexpr std::uint8_t kNew = 1;      // the file is in new/, else in cur/
inline constexpr std::uint8_t kOnDisk = 15;  // what is written
// Of the session:
inline constexpr std::uint8_t kGone = 16;     // expunged, not announced yet
inline constexpr std::uint8_t kChanged = 32;  // flags changed by others, not announced yet
inline constexpr std::uint8_t kRecent = 64;   // \Recent in this session
}  // namespace place

// What the directories and the UID list looked like when the log was last true to them.
struct SeenState {
    std::int64_t new_mtime;
    std::int64_t cur_mtime;
    std::uint64_t cur_inode;
    std::uint64_t uids_inode;
    std::uint64_t uids_size;
    std::int64_t at;      // when this was noted, nanoseconds
    std::uint32_t young;  // 1: another change could have followed unseen in the same clock tick
    std::uint32_t own;    // 1: the youngest change was one of ours
};
static_assert(sizeof(SeenState) == 56);

struct IndexHeader {
    char magic[8];
    std::uint32_t version;
    std::uint32_t header_size;  // where the rows begin
    std::uint32_t row_size;
    std::uint32_t validity;  // UIDVALIDITY
    std::uint32_t next_uid;
    std::uint32_t first_recent;  // messages in new/ with smaller UIDs are recent to nobody
    std::uint64_t modseq;        // HIGHESTMODSEQ
    std::uint64_t log_generation;
    std::uint64_t log_offset;  // the log's frames up to here are in the snapshot
    std::uint64_t cache_id;    // of the postern.cache that the rows' offsets are for
    std::uint64_t cache_size;  // its entries up to here are in the rows
    std::uint64_t count;
    std::uint64_t names_size;
    std::uint64_t keywords_size;
    std::uint32_t unseen;        // messages without \Seen
    std::uint32_t first_unseen;  // position of the first, from 1; 0: none
    SeenState seen;
    std::uint32_t pending;  // 1: names of files may not show all flags yet
    std::uint32_t crc;      // CRC-32C of the header up to here
};
static_assert(sizeof(IndexHeader) == 168);
static_assert(offsetof(IndexHeader, seen) == 104);
static_assert(offsetof(IndexHeader, crc) == 164);
inline constexpr char kIndexMagic[8] = {'P', 'S', 'T', 'N', 'I', 'N', 'D', 'X'};
inline constexpr std::uint32_t kIndexVersion = 1;

struct LogHeader {
    char magic[8];
    std::uint32_t version;
    std::uint32_t header_size;
    std::uint32_t validity;
    std::uint32_t reserved;
    std::uint64_t generation;  // a new one each time the log is replaced
    std::uint32_t reserved2;
    std::uint32_t crc;
};
static_assert(sizeof(LogHeader) == 40);
inline constexpr char kLogMagic[8] = {'P', 'S', 'T', 'N', 'L', 'O', 'G', '2'};
inline constexpr std::uint32_t kLogVersion = 2;

// Before each transaction of the log. A transaction is committed when its checksum is right.
struct FrameHeader {
    std::uint32_t size;  // of the payload
    std::uint32_t crc;   // over modseq and payload, begun with generation and offset
    std::uint64_t modseq;
};
static_assert(sizeof(FrameHeader) == 16);
inline constexpr std::uint32_t kMaxFrame = 1u << 30;

struct CacheHeader {
    char magic[8];
    std::uint32_t version;
    std::uint32_t header_size;
    std::uint32_t validity;
    std::uint32_t reserved;
    std::uint64_t id;  // another one whenever the file is written anew
    std::uint32_t reserved2;
    std::uint32_t crc;
};
static_assert(sizeof(CacheHeader) == 40);
inline constexpr char kCacheMagic[8] = {'P', 'S', 'T', 'N', 'C', 'A', 'C', 'H'};
inline constexpr std::uint32_t kCacheVersion = 1;

// Before the texts of one message, which are padded to a multiple of 8.
struct CacheEntry {
    std::uint32_t size;  // of everything, padding included
    std::uint32_t crc;   // of everything behind this field
    std::uint32_t uid;
    std::uint32_t envelope;  // sizes of the texts
    std::uint32_t structure;
    std::uint32_t header;
    std::uint32_t omitted;
    std::uint32_t reserved;
    std::uint64_t wire_size;
    std::int64_t date;
};
static_assert(sizeof(CacheEntry) == 48);
static_assert(offsetof(CacheEntry, wire_size) == 32);

}  // namespace postern::mailbox
