// From the submitter's messages to the queue's envelope.
#pragma once

#include <string>

#include "lib/ipc/messages/cleanup.h"
#include "lib/queue/envelope.h"

#include "cleanup/options.h"

namespace postern::cleanup {

// Sender, attributes and flags; no id, no recipients.
queue::Envelope envelope_of(const ipc::SubmitOpen& open);

// A recipient as submitted, going to `address` after expansion.
queue::Recipient recipient_of(const ipc::SubmitRecipient& submitted, const std::string& address);
// The same for two recipients that would be the same delivery (the duplicate filter's key).
std::string identity(const queue::Recipient& recipient);

// The body of a From: field for a message that has none: "User Name <u@h>", or "u@h".
std::string author(const ipc::SubmitOpen& open, const Options& options);

}  // namespace postern::cleanup
