// The message as it goes into a mailbox: our header lines in front, LF line ends. And the check
// whether this mailbox has seen it before.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "lib/base/result.h"
#include "lib/ipc/messages/deliver.h"
#include "lib/sys/fs.h"

namespace postern::local {

struct Text {
    int fd = -1;  // of the queue file; borrowed
    std::uint64_t offset = 0, size = 0;
};

// "Return-Path: <s>\nX-Original-To: a\nDelivered-To: b\n", as Postfix's local and virtual write
// them.
std::string mailbox_headers(const std::string& sender, const std::string& original,
                            const std::string& address);

using Sink = std::function<Result<void>(std::string_view bytes)>;
// Hands the text to `write` with CRLF as LF, in pieces, ending with a line end.
Result<void> copy_with_lf(sys::Fs& fs, const Text& text, const Sink& write);
// The same as it is.
Result<void> copy_as_is(sys::Fs& fs, const Text& text, const Sink& write);

// Does the header carry "Delivered-To: address"? Then the message has come back to us. Only the
// first 256 kB of a header are looked at.
Result<bool> delivered_before(sys::Fs& fs, const Text& text, std::string_view address);

}  // namespace postern::local
