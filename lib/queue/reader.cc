#include "lib/queue/reader.h"

#include <algorithm>

#include "lib/base/crc32c.h"
#include "lib/base/strings.h"

#include "lib/queue/format.h"

namespace postern::queue {
namespace {

constexpr std::size_t kTail = 16 << 10;
constexpr std::size_t kChunk = 64 << 10;

Error corrupt(std::string_view what) { return {Errc::corrupt, cat({"queue file: ", what})}; }

// Whether [offset, offset + size) lies between file header and index.
bool inside(std::uint64_t offset, std::uint64_t size, std::uint64_t index_offset) {
    return offset >= format::kHeaderSize && offset <= index_offset && size <= index_offset - offset;
}

Result<void> check_entry(const format::IndexEntry& entry, std::uint64_t index_offset) {
    if (!inside(entry.body_offset, entry.body_size, index_offset))
        return corrupt("message text out of bounds");
    if (!inside(entry.envelope_offset, entry.envelope_size, index_offset))
        return corrupt("envelope out of bounds");
    if (entry.envelope_size > format::kMaxEnvelope) return corrupt("envelope too large");
    return {};
}

}  // namespace

Reader::Reader(sys::Fs& fs, int fd) : fs_(&fs), fd_(fd) {}
Reader::Reader(Reader&&) noexcept = default;
Reader& Reader::operator=(Reader&&) noexcept = default;
Reader::~Reader() = default;

std::size_t Reader::count() const { return index_.size(); }

Result<std::string> Reader::bytes_at(std::uint64_t offset, std::size_t size) const {
    const std::uint64_t tail_begin = file_size_ - tail_.size();
    if (offset >= tail_begin && size <= file_size_ - offset)
        return tail_.substr(static_cast<std::size_t>(offset - tail_begin), size);
    TRY_ASSIGN(std::string bytes, fs_->read_at(fd_, offset, size));
    if (bytes.size() != size) return corrupt("became shorter while it was read");
    return bytes;
}

Result<Reader> Reader::open(sys::Fs& fs, int fd) {
    Reader reader(fs, fd);
    TRY_ASSIGN(const sys::FileInfo info, fs.info(fd));
    reader.file_size_ = info.size;
    const Error unfinished{Errc::closed, "queue file: no end record: not committed"};
    if (info.size < format::kHeaderSize + format::kEndSize) return unfinished;
    const std::size_t tail = static_cast<std::size_t>(std::min<std::uint64_t>(kTail, info.size));
    TRY_ASSIGN(reader.tail_, fs.read_at(fd, info.size - tail, tail));
    if (reader.tail_.size() != tail) return unfinished;
    TRY_ASSIGN(const std::string end_bytes,
               reader.bytes_at(info.size - format::kEndSize, format::kEndSize));
    if (!end_bytes.ends_with(format::kEndMagic)) return unfinished;

    TRY_ASSIGN(const std::string header, reader.bytes_at(0, format::kHeaderSize));
    TRY(format::check_file_header(header));
    reader.reusable_ = (format::header_flags(header) & format::kReusable) != 0;
    TRY_ASSIGN(const format::End end, format::parse_end(end_bytes, info.size));
    TRY_ASSIGN(const std::string index,
               reader.bytes_at(end.index_offset, end.count * format::kIndexEntrySize));
    if (format::end_crc(header, index, end_bytes) != end.crc)
        return corrupt("index does not match its checksum");
    for (std::size_t at = 0; at < index.size(); at += format::kIndexEntrySize) {
        const auto entry =
            format::parse_index_entry(std::string_view(index).substr(at, format::kIndexEntrySize));
        TRY(check_entry(entry, end.index_offset));
        reader.index_.push_back(entry);
    }
    return reader;
}

Result<Message> Reader::message(std::size_t i) const {
    POSTERN_CHECK(i < index_.size());
    const format::IndexEntry& entry = index_[i];
    TRY_ASSIGN(std::string bytes, bytes_at(entry.envelope_offset, entry.envelope_size));
    TRY_ASSIGN(Envelope envelope, format::decode_envelope(bytes, entry.envelope_offset));
    if (crc32c(bytes) != entry.envelope_crc) return corrupt("envelope does not match its checksum");
    return Message{std::move(envelope), {entry.body_offset, entry.body_size}, entry.body_crc};
}

Result<std::vector<Message>> Reader::messages() const {
    std::vector<Message> all;
    all.reserve(count());
    for (std::size_t i = 0; i < count(); ++i) {
        TRY_ASSIGN(Message one, message(i));
        all.push_back(std::move(one));
    }
    return all;
}

Result<QueueId> first_message(sys::Fs& fs, int fd) {
    TRY_ASSIGN(const Reader reader, Reader::open(fs, fd));
    TRY_ASSIGN(const Message first, reader.message(0));
    return first.envelope.id;
}

Result<void> verify_body(sys::Fs& fs, int fd, const Message& message) {
    std::uint32_t crc = 0;
    for (std::uint64_t done = 0; done < message.body.size;) {
        const std::size_t want =
            static_cast<std::size_t>(std::min<std::uint64_t>(kChunk, message.body.size - done));
        TRY_ASSIGN(const std::string bytes, fs.read_at(fd, message.body.offset + done, want));
        if (bytes.size() != want) return corrupt("shorter than its index says");
        crc = crc32c(bytes, crc);
        done += want;
    }
    if (crc != message.body_crc) return corrupt("message text does not match its checksum");
    return {};
}

}  // namespace postern::queue
