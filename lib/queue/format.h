// The queue file's layout in numbers; doc/formats/queue-file.md is the description, byte by byte.
// Only lib/queue includes this.
//
//     file header | body* | envelope* | index entry* | end record
//
// The end record is the commit: a file without a correct one was never acknowledged to anybody.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lib/base/result.h"
#include "lib/queue/envelope.h"

namespace postern::queue::format {

inline constexpr std::string_view kMagic = "PosternQ";
inline constexpr std::string_view kEndMagic = "PosternE";
inline constexpr std::uint16_t kVersion = 1;
inline constexpr std::size_t kHeaderSize = 16;
inline constexpr std::size_t kIndexEntrySize = 40;
inline constexpr std::size_t kEndSize = 32;
inline constexpr std::uint16_t kReusable = 1;  // a flag of the file header: see spare_path_of()
inline constexpr char kStatusOpen = 'R';
inline constexpr char kStatusDone = 'D';

// Limits that a reader holds the writer to.
inline constexpr std::uint32_t kMaxMessages = 4096;
inline constexpr std::uint32_t kMaxEnvelope = 256U << 20;
inline constexpr std::size_t kMaxRecipients = 1'000'000;
inline constexpr std::size_t kMaxValue = 0xffff;

// One message's place in the file.
struct IndexEntry {
    std::uint64_t envelope_offset = 0;
    std::uint64_t body_offset = 0;
    std::uint64_t body_size = 0;
    std::uint32_t envelope_size = 0;
    std::uint32_t envelope_crc = 0;  // with every status byte taken as 'R'
    std::uint32_t body_crc = 0;
    std::uint32_t reserved = 0;
};

struct End {
    std::uint64_t index_offset = 0;
    std::uint64_t total_size = 0;  // of the file, this record included
    std::uint32_t count = 0;
    std::uint32_t crc = 0;  // of the file header, the index and this record's first 20 bytes
};

std::string file_header(std::uint16_t flags = 0);
Result<void> check_file_header(std::string_view bytes);
std::uint16_t header_flags(std::string_view bytes);  // of a header that was checked

void append_index_entry(std::string& out, const IndexEntry& entry);
IndexEntry parse_index_entry(std::string_view bytes);  // kIndexEntrySize bytes

// The index and the end record for it, to be written at index_offset.
std::string finish(const std::string& index, std::uint64_t index_offset, std::uint16_t flags = 0);
// The end record of a file of this size; Errc::corrupt unless magic, size and bounds are right.
Result<End> parse_end(std::string_view bytes, std::uint64_t file_size);
std::uint32_t end_crc(std::string_view header, std::string_view index, std::string_view end_record);

// The envelope as records; all status bytes 'R' (recipients that are done are left out).
std::string encode_envelope(const Envelope& envelope);
// Reads records; `offset` is where they begin in the file, for Recipient::status_offset. Sets every
// status byte in `bytes` to 'R', as the checksum wants it.
Result<Envelope> decode_envelope(std::string& bytes, std::uint64_t offset);

}  // namespace postern::queue::format
