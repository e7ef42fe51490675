#include "lib/queue/writer.h"

#include <fcntl.h>

#include <algorithm>
#include <bit>

#include "lib/base/crc32c.h"
#include "lib/base/strings.h"

#include "lib/queue/format.h"

namespace postern::queue {
namespace {

constexpr std::size_t kCopyChunk = 64 << 10;
constexpr std::size_t kSmallestReusable = 8 << 10;

// The index and end record for a file with one message whose envelope begins at `offset`.
std::string tail_of_one(const std::string& envelope, std::uint64_t offset, std::uint64_t body_size,
                        std::uint32_t body_crc) {
    std::string index;
    format::append_index_entry(index, {.envelope_offset = offset,
                                       .body_offset = format::kHeaderSize,
                                       .body_size = body_size,
                                       .envelope_size = static_cast<std::uint32_t>(envelope.size()),
                                       .envelope_crc = crc32c(envelope),
                                       .body_crc = body_crc});
    return format::finish(index, offset + envelope.size());
}

Result<void> copy_body(sys::Fs& fs, int source, const Message& message, StreamWriter& out) {
    std::uint32_t crc = 0;
    for (std::uint64_t done = 0; done < message.body.size;) {
        const std::size_t want =
            static_cast<std::size_t>(std::min<std::uint64_t>(kCopyChunk, message.body.size - done));
        TRY_ASSIGN(const std::string bytes, fs.read_at(source, message.body.offset + done, want));
        if (bytes.size() != want)
            return Error{Errc::corrupt, "queue file: shorter than its index says"};
        crc = crc32c(bytes, crc);
        TRY(out.append(bytes));
        done += want;
    }
    if (crc != message.body_crc)
        return Error{Errc::corrupt, "queue file: message text does not match its checksum"};
    return {};
}

Result<Fd> copy_message(sys::Fs& fs, int source, const Message& message, const Envelope& envelope,
                        StreamWriter out) {
    TRY(copy_body(fs, source, message, out));
    return std::move(out).finish(envelope);
}

}  // namespace

BatchBuilder::BatchBuilder() : bytes_(format::file_header()) {}

void BatchBuilder::add(const Envelope& envelope, std::string_view body) {
    POSTERN_CHECK(!envelope.id.empty() && count_ < kMaxBatch);
    const std::string records = format::encode_envelope(envelope);
    places_.push_back({.body_offset = bytes_.size(),
                       .body_size = body.size(),
                       .envelope_offset = envelopes_.size(),
                       .envelope_size = static_cast<std::uint32_t>(records.size()),
                       .envelope_crc = crc32c(records),
                       .body_crc = crc32c(body)});
    bytes_ += body;
    envelopes_ += records;
    ++count_;
}

std::size_t BatchBuilder::unfilled() const {
    return size() + count_ * format::kIndexEntrySize + format::kEndSize;
}

std::size_t BatchBuilder::size_when_reusable() const {
    const std::size_t size = std::max(kSmallestReusable, std::bit_ceil(unfilled()));
    return size <= kLargestReusable ? size : 0;
}

std::string BatchBuilder::finish() && { return finish(0, 0); }

std::string BatchBuilder::finish_reusable() && {
    const std::size_t size = size_when_reusable();
    POSTERN_CHECK(size > 0);
    return finish(size - unfilled(), format::kReusable);
}

// What fills the file up comes before the envelopes: a reader finds these, the index and the end
// record in the last bytes of the file, which it reads at once.
std::string BatchBuilder::finish(std::size_t fill, std::uint16_t flags) {
    POSTERN_CHECK(count_ > 0);
    bytes_.replace(0, format::kHeaderSize, format::file_header(flags));
    bytes_.append(fill, '\0');
    std::string index;
    index.reserve(places_.size() * format::kIndexEntrySize);
    for (const Place& place : places_)
        format::append_index_entry(index, {.envelope_offset = bytes_.size() + place.envelope_offset,
                                           .body_offset = place.body_offset,
                                           .body_size = place.body_size,
                                           .envelope_size = place.envelope_size,
                                           .envelope_crc = place.envelope_crc,
                                           .body_crc = place.body_crc});
    bytes_ += envelopes_;
    bytes_ += format::finish(index, bytes_.size(), flags);
    return std::move(bytes_);
}

Result<StreamWriter> StreamWriter::create(sys::Fs& fs, const std::string& path) {
    TRY_ASSIGN(Fd fd, fs.open(path, O_RDWR | O_CREAT | O_EXCL, 0600));
    if (Result<void> written = fs.write(fd.get(), format::file_header()); !written) {
        (void)fs.unlink(path);
        return std::move(written).error();
    }
    return StreamWriter(fs, std::move(fd));
}

Result<void> StreamWriter::append(std::string_view body) {
    TRY(fs_->write(fd_.get(), body));
    crc_ = crc32c(body, crc_);
    size_ += body.size();
    return {};
}

Result<Fd> StreamWriter::finish(const Envelope& envelope) && {
    std::string records = format::encode_envelope(envelope);
    records += tail_of_one(records, format::kHeaderSize + size_, size_, crc_);
    TRY(fs_->write(fd_.get(), records));
    return std::move(fd_);
}

Result<Fd> extract(sys::Fs& fs, int source, const Message& message, const Envelope& envelope,
                   const std::string& path) {
    TRY_ASSIGN(StreamWriter out, StreamWriter::create(fs, path));
    Result<Fd> fd = copy_message(fs, source, message, envelope, std::move(out));
    if (!fd) (void)fs.unlink(path);  // incomplete: it would count for nothing, but why leave it
    return fd;
}

Result<void> mark_done(sys::Fs& fs, int fd, std::uint64_t status_offset) {
    POSTERN_CHECK(status_offset > 0);
    return fs.write_at(fd, status_offset, std::string_view(&format::kStatusDone, 1));
}

}  // namespace postern::queue
