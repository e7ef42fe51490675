// A message as it stands in a mailbox, Maildir or mbox, and what a failure to write it means.
#pragma once

#include <string>
#include <string_view>

#include "lib/base/verdict.h"
#include "lib/ipc/messages/deliver.h"
#include "lib/mailbox/maildir_delivery.h"
#include "lib/queue/message_text.h"
#include "lib/sys/fs.h"

#include "local/mbox_file.h"

namespace postern::local {

struct MailboxText {
    std::string sender;
    std::string original;   // X-Original-To; empty: none
    std::string delivered;  // Delivered-To; empty: none
    queue::MessageText text;
};

// `path` may end in /. `address`: whom the file's name stands for.
mailbox::Delivery maildir_delivery(sys::Fs& fs, std::string_view path, MailboxText text,
                                   const ipc::DeliverRequest& request, std::string_view address,
                                   std::string_view myhostname);

// The message with its From_ line, its "From " lines quoted and an empty line behind it.
Result<void> append_message(sys::Fs& fs, const std::string& path, const MboxRules& rules,
                            const MailboxText& text, WallTime now);

// A quota is the owner's business and returns the mail; all else may pass. `orders`: the file was
// named by an alias or a .forward file: what may not be written to now never may.
// Whether the message has been delivered to one of the two: to where an alias leads, or to what
// Delivered-To calls it.
Result<bool> was_delivered(sys::Fs& fs, const queue::MessageText& text, const std::string& address,
                           const std::string& delivered);

Verdict mailbox_failure(const Error& error, std::string_view doing, bool orders);

}  // namespace postern::local
