// What became of one recipient: the line in the log and the entry in the report to qmgr.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "lib/base/clock.h"
#include "lib/base/verdict.h"
#include "lib/ipc/messages/deliver.h"

namespace postern::queue {

// What a recipient's fate is told as, see lib/table/status_filter.h. Empty: as it is.
using VerdictFilter = std::function<Verdict(Verdict)>;

// Logs Postfix's line and makes the entry. `relay`: "local" or "virtual". `address`: where it was
// delivered, when that is not what the request says.
ipc::RecipientReport report_delivery(const ipc::DeliverRequest& request,
                                     const ipc::DeliverRecipient& recipient, std::string_view relay,
                                     const std::string& address, Verdict verdict, WallTime started,
                                     const VerdictFilter& filter = {});

// The entry alone, for what is logged by nobody.
ipc::RecipientReport report_entry(std::uint32_t index, const Verdict& verdict);

// Puts `more` into `all`; two entries about one recipient become the worse of them.
void merge_report(ipc::DeliverReport& all, ipc::RecipientReport more);

}  // namespace postern::queue
