#include "imapd/hibernation.h"

#include <array>

#include "lib/base/random.h"
#include "lib/base/strings.h"
#include "lib/crypto/seal.h"
#include "lib/ipc/messages/login.h"
#include "lib/log/log.h"

namespace postern::imapd {
namespace {

constexpr Millis kAnswerWait{10'000};
constexpr std::size_t kMaxTag = 256;
constexpr std::size_t kMaxFolder = 1024;

// Numbers as the codec has them: 4 bytes each, little-endian.
std::string packed(const std::vector<std::uint32_t>& numbers) {
    std::string out;
    for (const std::uint32_t number : numbers)
        for (unsigned shift = 0; shift < 32; shift += 8)
            out += static_cast<char>((number >> shift) & 0xff);
    return out;
}

std::vector<std::uint32_t> unpacked(std::string_view bytes) {
    std::vector<std::uint32_t> numbers(bytes.size() / 4);
    for (std::size_t i = 0; i < numbers.size() * 4; ++i)
        numbers[i / 4] |= std::uint32_t{static_cast<unsigned char>(bytes[i])} << (i % 4 * 8);
    return numbers;
}

}  // namespace

void SleepState::attributes(auto& io) {
    const auto numbers = [&io](std::string_view name, std::vector<std::uint32_t>& list) {
        std::string bytes = packed(list);
        io.attr(name, bytes, 4 * kMaxNumbers);
        list = unpacked(bytes);
    };
    io.attr("version", version);
    io.attr("sealed_at", sealed_at);
    io.attr("tag", tag, kMaxTag);
    io.attr("folder", folder, kMaxFolder);
    io.attr("read_only", read_only);
    io.attr("uid_validity", view.uid_validity);
    io.attr("modseq", view.modseq);
    io.attr("count", view.count);
    io.attr("next_uid", view.next_uid);
    io.attr("keywords", view.keywords);
    numbers("recent", view.recent);
    numbers("saved_result", saved_result);
    io.attr("condstore", condstore);
    io.attr("qresync", qresync);
    io.attr("rev2", rev2);
    io.attr("utf8", utf8);
    io.attr("uid_only", uid_only);
    io.attr("bytes_in", bytes_in);
    io.attr("bytes_out", bytes_out);
}

Result<std::string> encode_state(SleepState state) {
    ipc::Writer writer;
    state.attributes(writer);
    if (writer.too_long || writer.out.size() + crypto::kSealOverhead > ipc::kMaxSleepingState)
        return Error{Errc::no_space, "too much to remember for a session that sleeps", 0};
    return std::move(writer.out);
}

Result<SleepState> decode_state(std::string_view text, WallTime now, Millis max_age) {
    SleepState state;
    ipc::Reader reader{text};
    state.attributes(reader);
    if (reader.ok() && !reader.in.empty()) reader.fail("end", "surplus attributes");
    if (!reader.ok()) return Error{Errc::invalid, std::move(reader.failure), 0};
    if (state.version != SleepState::kVersion)
        return Error{Errc::invalid, "state of another version", 0};
    if (now - state.sealed_at > max_age) return Error{Errc::denied, "state is too old", 0};
    return state;
}

bool LoginSleeper::sleep(const SleepState& state, int client, int watch, Millis silence_left) {
    SleepState sealed = state;
    sealed.sealed_at = SystemClock::instance().now();
    const auto text = encode_state(std::move(sealed));
    if (!text) return false;
    ipc::Hibernate message;
    message.resume_token = grant_.resume_token;
    message.state =
        crypto::seal(grant_.session_key, grant_.session.str(), *text, SystemRandom::instance());
    message.silence_left = silence_left.count();
    message.keepalive = keepalive_.count();
    const std::array<int, 2> descriptors{client, watch};
    const std::string trace = grant_.session.str();
    const auto sent = login_.send(message, Deadline::in(kAnswerWait), trace,
                                  {descriptors.data(), watch < 0 ? 1U : 2U});
    if (!sent) {
        log::debug(trace, "cannot hibernate: " + sent.error().what);
        return false;
    }
    const auto answer = login_.receive<ipc::HibernateAnswer>(Deadline::in(kAnswerWait));
    // Silence: it may have the client or not, and two may not serve it. Its end: it has not.
    if (!answer) return answer.error().code == Errc::timeout;
    return answer->ok;
}

}  // namespace postern::imapd
