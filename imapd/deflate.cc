#include "imapd/deflate.h"

#include <zlib.h>

#include <array>

namespace postern::imapd {
namespace {

constexpr int kRaw = -15;  // RFC 4978 4: no zlib header; the window is 32 kB
constexpr int kLevel = 5;
constexpr int kMemory = 8;
constexpr std::size_t kPiece = 16384;

void give_input(z_stream_s& stream, std::string_view bytes) {
    // zlib reads only, though its type does not say so.
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream.avail_in = static_cast<uInt>(bytes.size());
}

// Runs step until it leaves room in the piece that it was given: then it has nothing more to say.
template <class Step>
int drain(z_stream_s& stream, std::string& out, Step step) {
    std::array<char, kPiece> piece;
    int result = Z_OK;
    do {
        stream.next_out = reinterpret_cast<Bytef*>(piece.data());
        stream.avail_out = static_cast<uInt>(piece.size());
        result = step();
        out.append(piece.data(), piece.size() - stream.avail_out);
    } while (result == Z_OK && stream.avail_out == 0);
    return result;
}

Error out_of_memory() { return {Errc::temporary, "deflate: cannot begin", 0}; }

}  // namespace

void Deflater::End::operator()(z_stream_s* stream) const {
    ::deflateEnd(stream);
    std::default_delete<z_stream_s>()(stream);
}

void Inflater::End::operator()(z_stream_s* stream) const {
    ::inflateEnd(stream);
    std::default_delete<z_stream_s>()(stream);
}

Result<Deflater> Deflater::make() {
    Deflater out;
    out.stream_.reset(std::make_unique<z_stream_s>().release());
    if (deflateInit2(out.stream_.get(), kLevel, Z_DEFLATED, kRaw, kMemory, Z_DEFAULT_STRATEGY) !=
        Z_OK)
        return out_of_memory();
    return out;
}

Result<std::string> Deflater::compress(std::string_view bytes) {
    std::string out;
    give_input(*stream_, bytes);
    const int result =
        drain(*stream_, out, [this] { return ::deflate(stream_.get(), Z_SYNC_FLUSH); });
    // Z_BUF_ERROR: there was nothing left to do.
    if (result != Z_OK && result != Z_BUF_ERROR) return Error{Errc::temporary, "deflate failed", 0};
    return out;
}

Result<Inflater> Inflater::make() {
    Inflater out;
    out.stream_.reset(std::make_unique<z_stream_s>().release());
    if (inflateInit2(out.stream_.get(), kRaw) != Z_OK) return out_of_memory();
    return out;
}

Result<std::string> Inflater::expand(std::string_view bytes) {
    std::string out;
    give_input(*stream_, bytes);
    const int result =
        drain(*stream_, out, [this] { return ::inflate(stream_.get(), Z_SYNC_FLUSH); });
    if (result == Z_STREAM_END) return Error{Errc::invalid, "client ended its deflate stream", 0};
    if (result != Z_OK && result != Z_BUF_ERROR)
        return Error{Errc::invalid, "client sends no deflate stream", 0};
    return out;
}

}  // namespace postern::imapd
