// A question to a service that hangs up when a reload takes it, as its successor answers the next
// caller: asked again then. For what may be asked twice without harm.
#pragma once

#include <string>

#include "lib/ipc/channel.h"

namespace postern::ipc {

template <Record Answer, Record Question>
Result<Answer> call_again(const std::string& path, const Question& question,
                          const Deadline& deadline) {
    constexpr int kMostTimes = 3;
    for (int times = 1;; ++times) {
        auto answer = call<Answer>(path, question, deadline);
        if (answer || answer.error().code != Errc::closed || times == kMostTimes) return answer;
    }
}

}  // namespace postern::ipc
