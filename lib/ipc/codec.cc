#include "lib/ipc/codec.h"

#include "lib/base/strings.h"

namespace postern::ipc {
namespace {

constexpr std::string_view kMagic = "Pi";
constexpr char kVersion = 1;
constexpr std::uint64_t kTakesAnother = 1;  // a flag

void put(std::string& out, std::uint64_t value, std::size_t width) {
    for (std::size_t i = 0; i < width; ++i) out += static_cast<char>(value >> (8 * i) & 255);
}

std::uint64_t take(std::string_view& in, std::size_t width) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < width; ++i) value |= std::uint64_t{static_cast<unsigned char>(in[i])} << (8 * i);
    in.remove_prefix(width);
    return value;
}

}  // namespace

void Writer::name(std::string_view name, char kind) {
    out += static_cast<char>(name.size());
    out += name;
    out += kind;
}

void Writer::number(std::uint64_t value) { put(out, value, 8); }

void Writer::bytes(std::string_view value) {
    put(out, value.size(), 4);
    out += value;
}

void Reader::fail(std::string_view key, std::string_view why) {
    if (ok()) failure = cat({"attribute ", printable(key, 40), ": ", why});
    in = {};
}

bool Reader::expect(std::string_view name, char kind) {
    if (!ok()) return false;
    const std::size_t size = in.empty() ? 0 : static_cast<unsigned char>(in[0]);
    if (in.size() < size + 2 || in.substr(1, size) != name) {
        fail(name, "missing");
        return false;
    }
    if (in[size + 1] != kind) {
        fail(name, "of another type");
        return false;
    }
    in.remove_prefix(size + 2);
    return true;
}

std::uint64_t Reader::number(std::string_view key) {
    if (in.size() >= 8) return take(in, 8);
    fail(key, "cut short");
    return 0;
}

std::string_view Reader::bytes(std::string_view key, std::size_t max) {
    if (in.size() < 4) {
        fail(key, "cut short");
        return {};
    }
    const std::size_t size = take(in, 4);
    if (size > max || size > in.size()) {
        fail(key, size > max ? "too long" : "cut short");
        return {};
    }
    const std::string_view value = in.substr(0, size);
    in.remove_prefix(size);
    return value;
}

std::size_t Reader::count(std::string_view key, std::size_t max) {
    const std::uint64_t n = number(key);
    if (n <= max) return n;
    fail(key, "too many values");
    return 0;
}

std::string encode_header(const Header& header) {
    std::string out(kMagic);
    out += kVersion;
    put(out, static_cast<std::uint64_t>(header.type), 2);
    put(out, header.takes_another ? kTakesAnother : 0, 4);
    put(out, header.descriptors, 1);
    const std::string_view trace = std::string_view(header.trace).substr(0, kMaxTrace);
    put(out, trace.size(), 1);
    out += trace;
    return out;
}

Result<Header> decode_header(std::string_view& packet) {
    if (packet.size() < 11 || packet.substr(0, 2) != kMagic) return Error{Errc::invalid, "message: not one of ours"};
    if (packet[2] != kVersion) return Error{Errc::invalid, "message: another protocol version"};
    packet.remove_prefix(3);
    Header header;
    header.type = static_cast<Type>(take(packet, 2));
    const std::uint64_t flags = take(packet, 4);
    if ((flags & ~kTakesAnother) != 0) return Error{Errc::invalid, "message: unknown flags"};
    header.takes_another = flags != 0;
    header.descriptors = static_cast<std::uint8_t>(take(packet, 1));
    const std::size_t trace = take(packet, 1);
    if (trace > kMaxTrace || trace > packet.size()) return Error{Errc::invalid, "message: malformed trace"};
    header.trace = packet.substr(0, trace);
    packet.remove_prefix(trace);
    return header;
}

}  // namespace postern::ipc
