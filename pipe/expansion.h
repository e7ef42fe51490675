// The ${macros} of argv=. Pure.
#pragma once

#include <string>
#include <vector>

#include "lib/base/result.h"
#include "lib/ipc/messages/deliver.h"

#include "pipe/attributes.h"

namespace postern::pipe {

// The command's arguments for this request. An argument that speaks of a recipient (${recipient},
// ${user},
// ${extension}, ${mailbox}, ${domain}, ${original_recipient}) stands once for each. Errc::invalid
// names an unknown macro. `delimiters`: recipient_delimiter.
Result<std::vector<std::string>> expand_argv(const Attributes& attributes,
                                             const ipc::DeliverRequest& request,
                                             const std::string& delimiters);

}  // namespace postern::pipe
