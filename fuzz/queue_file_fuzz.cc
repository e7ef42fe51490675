// Queue files and maildrop files: whatever is in them, reading ends in a value or an Error.
#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "lib/queue/format.h"
#include "lib/queue/maildrop.h"
#include "lib/queue/reader.h"
#include "lib/queue/writer.h"

namespace {

using postern::Fd;
namespace queue = postern::queue;

void read_queue_file(std::string_view bytes) {
    auto& fs = postern::sys::RealFs::instance();
    const Fd fd(::memfd_create("fuzz", MFD_CLOEXEC));
    if (!fd || !fs.write(fd.get(), bytes)) return;
    const auto reader = queue::Reader::open(fs, fd.get());
    if (!reader) return;
    for (std::size_t i = 0; i < reader->count(); ++i) {
        const auto message = reader->message(i);
        if (!message) continue;
        (void)queue::verify_body(fs, fd.get(), *message);
        // What was read can be written and read again.
        queue::BatchBuilder batch;
        batch.add(message->envelope, "text\r\n");
        if (std::move(batch).finish().size() < 64) std::abort();
    }
}

// Behind the checksum, where a fuzzer would never get by itself.
void read_envelope(std::string_view bytes) {
    std::string copy(bytes);
    const auto envelope = queue::format::decode_envelope(copy, 16);
    if (envelope) (void)queue::format::encode_envelope(*envelope);
}

void read_maildrop(std::string_view bytes) {
    queue::MaildropParser whole, pieces({.recipients = 100, .content = 10'000});
    std::string content;
    (void)whole.feed(bytes, &content);
    for (std::size_t at = 0; at < bytes.size(); at += 5)
        if (!pieces.feed(bytes.substr(at, 5), nullptr)) return;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    read_queue_file(bytes);
    read_envelope(bytes);
    read_maildrop(bytes);
    return 0;
}
