// What a plan or a job comes to, in words: for mailtrace, and for probes (verify(8), sendmail -bv),
// in Postfix's words.
#pragma once

#include <string>

#include "local/messages.h"

namespace postern::local {

std::string intention(const MailboxJob& job);
std::string intention(const ForwardJob& job);
std::string intention(const RunnerJob& job);

// What an alias stands for: "the mailbox of bob, <c@far.test>, by way of staff", "itself: a, b, a";
// empty where no alias was followed.
std::string expansion(const Plan& plan);

// For mailtrace; no log tool expects it.
void tell_expansion(const ipc::DeliverRequest& request, const ipc::DeliverRecipient& recipient,
                    const Plan& plan);

}  // namespace postern::local
