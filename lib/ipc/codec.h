// The codec: a message is a struct with `static constexpr Type kType` and one function
//     void attributes(auto& io) { io.attr("queue_id", queue_id); io.attr("sender", sender, 320); }
// that writer and reader both walk, so that they cannot disagree. On the wire every attribute carries
// its name, and the reader insists on each name, type, order and bound; anything else is Errc::invalid.
// Pure: bytes in, bytes out. Format: doc/formats/ipc.md.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/ids.h"
#include "lib/base/result.h"

namespace postern::ipc {

// Every message that exists. Numbers are never used again for something else.
enum class Type : std::uint16_t {
    wakeup = 1, status, control, listing_request, listing,
    policy_question = 16, policy_answer, name_question, name_answer,
    resolve_request = 24, resolve_answer, expand_request, expand_answer,
    submit_open = 32, submit_opened, submit_recipients, submit_end, submit_result,
    milter_event, milter_answer,
    queue_nudge = 48, queue_control, queue_control_answer, queue_list_request, queue_list_entry, queue_list_end,
    deliver_request = 64, deliver_report,
    bounce_append = 72, bounce_done, bounce_send, bounce_forget, postmaster_notice,
    auth_request = 80, auth_answer, auth_response, redeem_token, grant, user_request, user_answer, quota_question, quota_answer,
    handoff = 96, handoff_answer, hibernate, hibernate_answer,
    plan_request = 104, plan_answer, mailbox_job, forward_job, runner_job,
    anvil_question = 112, anvil_answer,
    client_question = 120, client_traits, map_question, map_answer,
    verify_question = 128, verify_answer, verify_update, verify_updated,
    header_request = 136, header_answer,
    session_report = 144, admission_question, admission_answer, dismiss_sessions, session_list_request, session_list,
    kick_request, kick_answer,
    token_question = 160, token_answer,
    test_message = 65535,
};

constexpr std::size_t kMaxPacket = 65536;   // bytes of one packet, header included
constexpr std::size_t kMaxDescriptors = 4;  // in one packet
constexpr std::size_t kMaxTrace = 64;

// An enum that travels has an enumerator kLast, the greatest legal value.
template <class T>
concept Enum = std::is_enum_v<T> && requires { T::kLast; };

template <class T>
concept Record = std::is_class_v<T> && requires(T t, struct Writer& w) { t.attributes(w); };

struct Header {
    Type type{};
    // Of an answer: whoever sent it waits for another question on this connection.
    bool takes_another = false;
    std::uint8_t descriptors = 0;  // that travel with the packet
    std::string trace;             // session or queue id of the story, for the receiver's log
};

// Appends attributes: u16 name length is implied by the reader's expectation; see the format page.
struct Writer {
    std::string out;
    bool too_long = false;  // a value exceeded its bound: the sender's bug or an oversized input

    void name(std::string_view name, char kind);
    void number(std::uint64_t value);
    void bytes(std::string_view value);

    template <class T>
        requires std::integral<T> || Enum<T>
    void attr(std::string_view key, const T& value) {
        name(key, 'n');
        number(static_cast<std::uint64_t>(value));
    }
    void attr(std::string_view key, const WallTime& value) {
        attr(key, static_cast<std::int64_t>(value.time_since_epoch().count()));
    }
    void attr(std::string_view key, const std::string& value, std::size_t max) {
        name(key, 's');
        too_long |= value.size() > max;
        bytes(value);
    }
    void attr(std::string_view key, const QueueId& value) { attr(key, value.str(), QueueId::kMaxSize); }
    void attr(std::string_view key, const SessionId& value) { attr(key, value.str(), SessionId::kSize); }
    void attr(std::string_view key, const std::vector<std::string>& values, std::size_t max_count, std::size_t max) {
        name(key, 'v');
        too_long |= values.size() > max_count;
        number(values.size());
        for (const auto& value : values) {
            too_long |= value.size() > max;
            bytes(value);
        }
    }
    template <Record T>
    void attr(std::string_view key, T& value) {
        name(key, 'r');
        value.attributes(*this);
    }
    template <Record T>
    void attr(std::string_view key, std::vector<T>& values, std::size_t max_count) {
        name(key, 'R');
        too_long |= values.size() > max_count;
        number(values.size());
        for (auto& value : values) value.attributes(*this);
    }
};

// Reads attributes; the first disagreement is kept as `failure`, after which everything reads as empty.
struct Reader {
    std::string_view in;
    std::string failure{};

    bool ok() const { return failure.empty(); }
    void fail(std::string_view key, std::string_view why);
    bool expect(std::string_view name, char kind);
    std::uint64_t number(std::string_view key);
    std::string_view bytes(std::string_view key, std::size_t max);
    std::size_t count(std::string_view key, std::size_t max);

    template <std::integral T>
    void attr(std::string_view key, T& value) {
        if (!expect(key, 'n')) return;
        const std::uint64_t raw = number(key);
        value = static_cast<T>(raw);
        // Sign extension made negative numbers 64 bits wide; anything that does not survive was out of range.
        if (static_cast<std::uint64_t>(value) != raw) fail(key, "number out of range");
    }
    template <Enum T>
    void attr(std::string_view key, T& value) {
        if (!expect(key, 'n')) return;
        const std::uint64_t raw = number(key);
        if (raw > static_cast<std::uint64_t>(T::kLast)) return fail(key, "no such value");
        value = static_cast<T>(raw);
    }
    void attr(std::string_view key, WallTime& value) {
        std::int64_t micros = 0;
        attr(key, micros);
        value = WallTime(Micros(micros));
    }
    void attr(std::string_view key, std::string& value, std::size_t max) {
        if (expect(key, 's')) value = bytes(key, max);
    }
    void attr(std::string_view key, QueueId& value) { parsed(key, value, QueueId::kMaxSize); }
    void attr(std::string_view key, SessionId& value) { parsed(key, value, SessionId::kSize); }
    void attr(std::string_view key, std::vector<std::string>& values, std::size_t max_count, std::size_t max) {
        values.clear();
        if (!expect(key, 'v')) return;
        for (std::size_t left = count(key, max_count); left > 0 && ok(); --left) values.emplace_back(bytes(key, max));
    }
    template <Record T>
    void attr(std::string_view key, T& value) {
        if (expect(key, 'r')) value.attributes(*this);
    }
    template <Record T>
    void attr(std::string_view key, std::vector<T>& values, std::size_t max_count) {
        values.clear();
        if (!expect(key, 'R')) return;
        for (std::size_t left = count(key, max_count); left > 0 && ok(); --left) values.emplace_back().attributes(*this);
    }

  private:
    template <class T>
    void parsed(std::string_view key, T& value, std::size_t max) {
        std::string text;
        attr(key, text, max);
        if (!ok() || text.empty()) {
            value = T{};
            return;
        }
        auto id = T::parse(text);
        if (!id) return fail(key, "malformed id");
        value = *std::move(id);
    }
};

std::string encode_header(const Header& header);
// Reads the header and leaves `packet` at the attributes.
Result<Header> decode_header(std::string_view& packet);

// The packet of a message. Errc::invalid when an attribute exceeds its bound or the packet kMaxPacket.
template <Record T>
Result<std::string> encode(T message, Header header = {}) {
    header.type = T::kType;
    Writer writer{encode_header(header)};
    message.attributes(writer);
    if (writer.too_long || writer.out.size() > kMaxPacket)
        return Error{Errc::invalid, "message type " + std::to_string(static_cast<int>(T::kType)) + ": too long to send"};
    return std::move(writer.out);
}

// The message in the attributes behind a header of T's type.
template <Record T>
Result<T> decode_body(std::string_view attributes) {
    T message;
    Reader reader{attributes};
    message.attributes(reader);
    if (reader.ok() && !reader.in.empty()) reader.fail("end", "surplus attributes");
    if (!reader.ok()) return Error{Errc::invalid, std::move(reader.failure)};
    return message;
}

}  // namespace postern::ipc
