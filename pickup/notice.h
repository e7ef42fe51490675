// The letter to a local submitter whose message was refused for good.
#pragma once

#include <string>

#include "lib/base/verdict.h"

#include "pickup/submitter.h"

namespace postern::pickup {

// A whole message in wire form: what happened, and the refused message's header. Pure.
std::string refusal_notice(const Options& options, const Dropped& dropped, const Verdict& verdict,
                           const std::string& recipient);

}  // namespace postern::pickup
