// The message as it leaves the queue file for a mailbox or a command: our header lines in front,
// line ends as wanted. And the check whether this mailbox has seen it before.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "lib/base/clock.h"
#include "lib/base/result.h"
#include "lib/ipc/messages/deliver.h"
#include "lib/sys/fs.h"

namespace postern::queue {

struct MessageText {
    int fd = -1;  // of the queue file; borrowed
    std::uint64_t offset = 0, size = 0;
};

// "Return-Path: <s>\nX-Original-To: a\nDelivered-To: b\n", as Postfix's local and virtual write
// them. The last two only where they are given.
std::string mailbox_headers(const std::string& sender, const std::string& original,
                            const std::string& address);

using Sink = std::function<Result<void>(std::string_view bytes)>;
// Hands the text to `write` with CRLF as LF, in pieces, ending with a line end.
Result<void> copy_with_lf(sys::Fs& fs, const MessageText& text, const Sink& write);
// The same as it is.
Result<void> copy_as_is(sys::Fs& fs, const MessageText& text, const Sink& write);

// How lines are written.
struct LineStyle {
    std::string end = "\n";
    bool quote_from = false;  // "From " at the begin of a line becomes ">From ": mbox
    bool stuff_dots = false;  // a dot at the begin of a line is doubled: BSMTP
};
// The text line by line; a last line without an end gets one.
Result<void> copy_lines(sys::Fs& fs, const MessageText& text, const LineStyle& style,
                        const Sink& write);

// "From sender  Sat Nov 21 19:51:44 2026", without line end: what begins a message in an mbox and
// what commands expect. Nobody is MAILER-DAEMON.
std::string from_line(std::string_view sender, WallTime now);

// Does the header carry "Delivered-To: address"? Then the message has come back to us. Only the
// first 256 kB of a header are looked at.
Result<bool> delivered_before(sys::Fs& fs, const MessageText& text, std::string_view address);

}  // namespace postern::queue
