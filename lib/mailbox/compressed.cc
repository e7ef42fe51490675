#include "lib/mailbox/compressed.h"

#include <zlib.h>

#include <algorithm>
#include <memory>

#include "lib/base/strings.h"
#include "lib/mailbox/message_name.h"

namespace postern::mailbox {
namespace {

struct Method {
    std::string_view name, magic;
};
constexpr Method kMethods[] = {{"gzip", "\x1f\x8b\x08"},
                               {"bzip2", "BZh"},
                               {"zstd", "\x28\xb5\x2f\xfd"},
                               {"xz", "\xfd\x37zXZ"},
                               {"lz4", "Dovecot-LZ4\x0d\x2a\x9b\xc5"}};
constexpr std::size_t kBzip2BlockAt = 4;            // behind "BZh" and a digit
constexpr std::string_view kBzip2Block = "1AY&SY";  // no header has it
constexpr int kGzip = 15 + 16;                      // as inflateInit2 wants it
constexpr std::size_t kInflatedAtOnce = 65536;

const Method* method_of(std::string_view begin) {
    for (const Method& method : kMethods) {
        if (!begin.starts_with(method.magic)) continue;
        if (method.name == "bzip2" &&
            (begin.size() < kBzip2BlockAt || !begin.substr(kBzip2BlockAt).starts_with(kBzip2Block)))
            continue;
        return &method;
    }
    return nullptr;
}

Error unreadable(std::string_view why) {
    return {Errc::permanent, cat({"compressed message: ", why}), 0};
}

struct EndOfInflating {
    void operator()(z_stream* stream) const {
        ::inflateEnd(stream);
        std::default_delete<z_stream>()(stream);
    }
};

}  // namespace

bool is_compressed(std::string_view begin) { return method_of(begin) != nullptr; }

Result<std::string> decompressed(std::string_view file, std::size_t limit) {
    const Method* method = method_of(file);
    if (method == nullptr || method != &kMethods[0])
        return unreadable(cat({method == nullptr ? "unknown" : method->name,
                               " cannot be read, only gzip can"}));
    std::unique_ptr<z_stream, EndOfInflating> stream(std::make_unique<z_stream>().release());
    if (inflateInit2(stream.get(), kGzip) != Z_OK) return unreadable("zlib cannot begin");
    // zlib reads only, though its type does not say so.
    stream->next_in = reinterpret_cast<Bytef*>(const_cast<char*>(file.data()));
    stream->avail_in = static_cast<uInt>(std::min<std::size_t>(file.size(), UINT32_MAX));
    std::string out;
    for (int result = Z_OK; result != Z_STREAM_END;) {
        const std::size_t had = out.size();
        out.resize(had + kInflatedAtOnce);
        stream->next_out = reinterpret_cast<Bytef*>(out.data() + had);
        stream->avail_out = kInflatedAtOnce;
        result = ::inflate(stream.get(), Z_NO_FLUSH);
        out.resize(out.size() - stream->avail_out);
        if (result != Z_OK && result != Z_STREAM_END) return unreadable("it is damaged");
        if (out.size() > limit) return unreadable("its text is larger than its name says");
        // RFC 1952 2.2: a file may have several members
        if (result == Z_STREAM_END && stream->avail_in > 0) result = ::inflateReset(stream.get());
    }
    return out;
}

Result<std::string> text_of_file(std::string file, std::string_view base) {
    if (!is_compressed(file)) return file;
    const auto size = size_in_name(base, 'S');
    if (size && *size == file.size()) return file;
    return decompressed(file, std::min<std::uint64_t>(size.value_or(kMaxDecompressed),
                                                      kMaxDecompressed));
}

}  // namespace postern::mailbox
