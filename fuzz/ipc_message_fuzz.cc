// IPC messages: the first two bytes choose the message, the rest is read as its attributes. What is
// accepted must be writable again and read back as the same bytes.
#include <cstdint>
#include <string>
#include <string_view>

#include "lib/base/check.h"
#include "lib/ipc/codec.h"
#include "lib/ipc/messages/anvil.h"
#include "lib/ipc/messages/auth.h"
#include "lib/ipc/messages/bounce.h"
#include "lib/ipc/messages/cleanup.h"
#include "lib/ipc/messages/control.h"
#include "lib/ipc/messages/deliver.h"
#include "lib/ipc/messages/login.h"
#include "lib/ipc/messages/peername.h"
#include "lib/ipc/messages/policy.h"
#include "lib/ipc/messages/queue.h"
#include "lib/ipc/messages/route.h"
#include "lib/ipc/messages/sessions.h"
#include "lib/ipc/messages/verify.h"

namespace {

namespace ipc = postern::ipc;

template <ipc::Record T>
void try_one(std::string_view attributes) {
    const auto message = ipc::decode_body<T>(attributes);
    if (!message) return;
    const auto packet = ipc::encode(*message);
    if (!packet) return;  // only a whole packet is bounded, attributes alone may be longer
    std::string_view rest = *packet;
    POSTERN_CHECK(ipc::decode_header(rest));
    const auto again = ipc::decode_body<T>(rest);
    POSTERN_CHECK(again);
    POSTERN_CHECK(*ipc::encode(*again) == *packet);
}

template <class... Messages>
void try_number(std::size_t number, std::string_view attributes) {
    std::size_t i = 0;
    ((i++ == number % sizeof...(Messages) ? try_one<Messages>(attributes) : void()), ...);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view bytes(reinterpret_cast<const char*>(data), size);
    std::string_view packet = bytes;
    static_cast<void>(ipc::decode_header(packet));
    if (bytes.empty()) return 0;
    const auto number = static_cast<unsigned char>(bytes[0]);
    bytes.remove_prefix(1);
    try_number<ipc::PolicyQuestion, ipc::PolicyAnswer, ipc::ResolveRequest, ipc::ResolveAnswer,
               ipc::ExpandRequest, ipc::ExpandAnswer, ipc::SubmitOpen, ipc::SubmitOpened,
               ipc::SubmitRecipients, ipc::SubmitEnd, ipc::SubmitResult, ipc::QueueNudge,
               ipc::QueueControl, ipc::QueueControlAnswer, ipc::QueueListEntry, ipc::QueueListEnd,
               ipc::DeliverRequest, ipc::DeliverReport, ipc::BounceAppend, ipc::BounceSend,
               ipc::BounceForget, ipc::PostmasterNotice, ipc::BounceDone, ipc::AuthRequest, ipc::AuthAnswer,
               ipc::AuthResponse, ipc::RedeemToken, ipc::Grant, ipc::Handoff, ipc::HandoffAnswer,
               ipc::Hibernate, ipc::HibernateAnswer, ipc::Status, ipc::Control, ipc::NameQuestion,
               ipc::NameAnswer, ipc::AnvilQuestion, ipc::AnvilAnswer, ipc::ClientQuestion,
               ipc::ClientTraits, ipc::MapQuestion, ipc::MapAnswer, ipc::VerifyQuestion,
               ipc::VerifyAnswer, ipc::VerifyUpdate, ipc::VerifyUpdated,
               ipc::SessionReport, ipc::AdmissionQuestion, ipc::AdmissionAnswer,
               ipc::DismissSessions, ipc::SessionListRequest, ipc::SessionList, ipc::KickRequest,
               ipc::KickAnswer>(number, bytes);
    return 0;
}
