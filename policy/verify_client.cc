#include "policy/verify_client.h"

#include <poll.h>

#include <algorithm>

#include "lib/ipc/channel.h"

namespace postern::policy {
namespace {

constexpr Millis kVerifyWait{15'000};  // it may be sending another probe
constexpr Seconds kMostPause{10};

}  // namespace

Result<ipc::VerifyAnswer> VerifyClient::ask(const std::string& address) {
    return ipc::call<ipc::VerifyAnswer>(path_, ipc::VerifyQuestion{address},
                                        Deadline::in(kVerifyWait));
}

void VerifyClient::pause(Seconds time) {
    const Millis wait = std::clamp(time, Seconds{0}, kMostPause);
    ::poll(nullptr, 0, static_cast<int>(wait.count()));
}

}  // namespace postern::policy
