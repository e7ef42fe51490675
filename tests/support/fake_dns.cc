#include "tests/support/fake_dns.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <optional>

#include "lib/base/encode.h"
#include "lib/base/ip_address.h"
#include "lib/base/strings.h"

namespace postern::tests {
namespace {

std::string normal(std::string_view name) {
    std::string text = to_lower(dns::ascii_name(name).value_or(std::string(name)));
    if (!text.empty() && text.back() == '.') text.pop_back();
    return text;
}

}  // namespace

FakeDns::FakeDns(std::string_view zone) {
    for (std::string_view line : split(zone, '\n')) {
        auto words = split_words(line);
        if (words.size() < 2) continue;
        Line entry;
        entry.type = to_upper(words[1]);
        if (entry.type == "MX" && words.size() > 3) {
            entry.record = {std::string(words[3]),
                            parse_number<std::uint16_t>(words[2]).value_or(0)};
        } else if (entry.type == "SRV" && words.size() > 5) {
            const auto number = [&](std::size_t i) {
                return parse_number<std::uint16_t>(words[i]).value_or(0);
            };
            entry.record = {words[5] == "." ? "" : std::string(words[5]), number(2), number(3),
                            number(4)};
        } else if (entry.type == "TLSA" && words.size() > 5) {
            for (std::size_t i = 2; i < 5; ++i)
                entry.record.data += static_cast<char>(parse_number<int>(words[i]).value_or(0));
            entry.record.data += hex_decode(words[5]).value_or("");
        } else if (entry.type == "NULLMX") {
            entry.type = "MX";
        } else if (words.size() > 2) {
            entry.record.data = words[2];
        }
        lines_.emplace(normal(words[0]), std::move(entry));
    }
}

dns::AnswerLookup FakeDns::lookup(std::string_view asked_name, dns::RecordType type) const {
    dns::Answer answer;
    answer.canonical_name = normal(asked_name);
    answer.ttl = Seconds{60};
    answer.authenticated = true;
    for (int hops = 0; hops < 10; ++hops) {
        auto [begin, end] = lines_.equal_range(answer.canonical_name);
        if (begin == end) return NotFound{};
        std::string next;
        bool secure = false;
        for (auto at = begin; at != end; ++at) {
            const Line& line = at->second;
            if (line.type == "FAIL") return Error{Errc::temporary, "fake DNS failure"};
            if (line.type == "SECURE") secure = true;
            if (line.type == "CNAME") next = normal(line.record.data);
            if (line.type == dns::type_name(type)) answer.records.push_back(line.record);
        }
        answer.authenticated = answer.authenticated && secure;
        if (next.empty()) return answer;
        answer.canonical_name = next;
    }
    return Error{Errc::temporary, "CNAME loop"};
}

FakeAsyncDns::Id FakeAsyncDns::resolve(std::string_view name, dns::RecordType type, Millis,
                                       Callback done) {
    Id id = ++last_id_;
    pending_[id] = std::move(done);
    loop_.post([this, alive = alive_, id, name = std::string(name), type] {
        if (!*alive) return;
        auto found = pending_.find(id);
        if (found == pending_.end()) return;
        Callback callback = std::move(found->second);
        pending_.erase(found);
        zone.asked.push_back(name + " " + std::string(dns::type_name(type)));
        callback(zone.lookup(name, type));
    });
    return id;
}

// ---- the server ---------------------------------------------------------------------------------

namespace {

void put16(std::string& out, unsigned value) {
    out += static_cast<char>(value >> 8);
    out += static_cast<char>(value & 255);
}

std::string wire_name(std::string_view name) {
    std::string wire;
    for (std::string_view label : split(name, '.')) {
        if (label.empty()) continue;
        wire += static_cast<char>(label.size());
        wire += label;
    }
    return wire + '\0';
}

std::string rdata(dns::RecordType type, const dns::Record& record) {
    switch (type) {
        case dns::RecordType::a:
        case dns::RecordType::aaaa:
            return std::string(IpAddress::parse(record.data).value_or(IpAddress{}).bytes());
        case dns::RecordType::mx: {
            std::string data;
            put16(data, record.preference);
            return data + wire_name(record.data);
        }
        case dns::RecordType::srv: {
            std::string data;
            for (const unsigned value : {record.preference, record.weight, record.port})
                put16(data, value);
            return data + wire_name(record.data);
        }
        case dns::RecordType::ns:
        case dns::RecordType::ptr: return wire_name(record.data);
        case dns::RecordType::tlsa: return record.data;
        case dns::RecordType::txt:
            return std::string(1, static_cast<char>(record.data.size())) + record.data;
    }
    return "";
}

void put_record(std::string& out, std::string_view owner, unsigned type, std::string_view data) {
    out += wire_name(owner);
    put16(out, type);
    put16(out, 1);
    put16(out, 0);
    put16(out, 60);  // ttl
    put16(out, static_cast<unsigned>(data.size()));
    out += data;
}

struct Query {
    std::string name;
    unsigned type = 0;
    std::string question;  // in wire form
};

std::optional<Query> parse_query(std::string_view packet) {
    if (packet.size() < 17) return std::nullopt;
    Query query;
    std::size_t at = 12;
    while (at < packet.size() && packet[at] != 0) {
        std::size_t length = static_cast<unsigned char>(packet[at]);
        if (at + length + 1 >= packet.size()) return std::nullopt;
        if (!query.name.empty()) query.name += '.';
        query.name += packet.substr(at + 1, length);
        at += length + 1;
    }
    if (at + 5 > packet.size()) return std::nullopt;
    query.type = static_cast<unsigned>(static_cast<unsigned char>(packet[at + 1]) << 8 |
                                       static_cast<unsigned char>(packet[at + 2]));
    query.question = packet.substr(12, at + 5 - 12);
    return query;
}

}  // namespace

FakeDnsServer::FakeDnsServer(loop::Loop& loop, std::string_view zone) : zone_(zone) {
    socket_.reset(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    POSTERN_CHECK(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) ==
                  0);
    watch_ = std::make_unique<loop::Watch>(loop, socket_.get(), [this] { answer_one(); });
    watch_->want_read(true);
}

std::string FakeDnsServer::address() const {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    ::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    return "127.0.0.1@" + std::to_string(ntohs(address.sin_port));
}

void FakeDnsServer::answer_one() {
    char buffer[1500];
    sockaddr_in from{};
    socklen_t size = sizeof from;
    ssize_t got = ::recvfrom(socket_.get(), buffer, sizeof buffer, 0,
                             reinterpret_cast<sockaddr*>(&from), &size);
    if (got <= 0) return;
    std::string_view packet(buffer, static_cast<std::size_t>(got));
    auto query = parse_query(packet);
    if (!query) return;
    ++queries_;
    auto type = static_cast<dns::RecordType>(query->type);
    auto answer = zone_.lookup(query->name, type);
    unsigned rcode = answer.found() ? 0 : answer.not_found() ? 3 : 2;
    std::string records;
    unsigned count = 0;
    if (answer.found()) {
        std::string asked = normal(query->name);
        if (answer->canonical_name != asked) {
            put_record(records, asked, 5, wire_name(answer->canonical_name));
            ++count;
        }
        for (const auto& record : answer->records) {
            put_record(records, answer->canonical_name, query->type, rdata(type, record));
            ++count;
        }
    }
    std::string reply(packet.substr(0, 2));
    put16(reply, 0x8180 | rcode);
    put16(reply, 1);
    put16(reply, count);
    put16(reply, 0);
    put16(reply, 0);
    reply += query->question + records;
    ::sendto(socket_.get(), reply.data(), reply.size(), 0, reinterpret_cast<sockaddr*>(&from),
             size);
}

}  // namespace postern::tests
