// Bounds shared by the messages: what one attribute may hold at most.
#pragma once

#include <cstddef>

namespace postern::ipc {

constexpr std::size_t kMaxAddress = 1024;   // with room over RFC 5321 4.5.3.1.3's 256: Postfix accepts long ones too
constexpr std::size_t kMaxName = 255;       // host names, service names, schemes
constexpr std::size_t kMaxText = 1000;      // one line for people
constexpr std::size_t kMaxNextHop = 1024;
constexpr std::size_t kMaxPath = 4096;
constexpr std::size_t kMaxUser = 320;
constexpr std::size_t kMaxEnvid = 300;      // RFC 3461 5.4: 100 characters of xtext, each up to three
constexpr std::size_t kMaxOrcpt = 500;      // RFC 3461 4.2
constexpr std::size_t kMaxReportText = 400; // per recipient in a report of many
// Recipients in one packet of 64 kB. Ordinary addresses are short; a sender that has long ones stops
// adding when their bytes reach kRecipientBudget and sends the rest in a message of its own.
constexpr std::size_t kMaxRecipientsPerMessage = 50;
constexpr std::size_t kRecipientBudget = 48000;

}  // namespace postern::ipc
