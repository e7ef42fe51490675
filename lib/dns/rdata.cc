#include "lib/dns/rdata.h"

#include "lib/base/ip_address.h"

namespace postern::dns {
namespace {

unsigned byte_at(std::string_view data, std::size_t at) {
    return static_cast<unsigned char>(data[at]);
}

std::optional<std::string> parse_name(std::string_view data) {
    std::string name;
    std::size_t at = 0;
    while (at < data.size() && byte_at(data, at) != 0) {
        std::size_t length = byte_at(data, at);
        if (length > 63 || at + 1 + length > data.size()) return std::nullopt;
        if (!name.empty()) name += '.';
        name += data.substr(at + 1, length);
        at += 1 + length;
    }
    if (at >= data.size()) return std::nullopt;
    if (!name.empty() && !is_valid_name(name)) return std::nullopt;
    return name;
}

std::optional<std::string> parse_text(std::string_view data) {
    std::string text;
    for (std::size_t at = 0; at < data.size();) {
        std::size_t length = byte_at(data, at);
        if (at + 1 + length > data.size()) return std::nullopt;
        text += data.substr(at + 1, length);
        at += 1 + length;
    }
    return text;
}

std::optional<Record> parse_mx(std::string_view data) {
    if (data.size() < 3) return std::nullopt;
    auto host = parse_name(data.substr(2));
    if (!host) return std::nullopt;
    return Record{*std::move(host),
                  static_cast<std::uint16_t>(byte_at(data, 0) << 8 | byte_at(data, 1))};
}

unsigned pair_at(std::string_view data, std::size_t at) {
    return byte_at(data, at) << 8 | byte_at(data, at + 1);
}

// RFC 2782: priority, weight, port, target.
std::optional<Record> parse_srv(std::string_view data) {
    if (data.size() < 7) return std::nullopt;
    auto host = parse_name(data.substr(6));
    if (!host) return std::nullopt;
    return Record{*std::move(host), static_cast<std::uint16_t>(pair_at(data, 0)),
                  static_cast<std::uint16_t>(pair_at(data, 2)),
                  static_cast<std::uint16_t>(pair_at(data, 4))};
}

std::optional<Record> only(std::optional<std::string> text) {
    if (!text) return std::nullopt;
    return Record{*std::move(text)};
}

std::optional<Record> parse_address(std::string_view data, std::size_t size) {
    auto address = data.size() == size ? IpAddress::from_bytes(data) : std::nullopt;
    if (!address) return std::nullopt;
    return Record{address->str()};
}

}  // namespace

std::optional<Record> parse_rdata(RecordType type, std::string_view data) {
    switch (type) {
        case RecordType::a: return parse_address(data, 4);
        case RecordType::aaaa: return parse_address(data, 16);
        case RecordType::mx: return parse_mx(data);
        case RecordType::srv: return parse_srv(data);
        case RecordType::ns:
        case RecordType::ptr: return only(parse_name(data));
        case RecordType::tlsa:
            if (data.size() < 4) return std::nullopt;
            return Record{std::string(data)};
        case RecordType::txt: return only(parse_text(data));
    }
    return std::nullopt;
}

}  // namespace postern::dns
