// RuleNote: who decided (PolicyAnswer::rule), kept until the line is logged that mailtrace reads.
#pragma once

#include <string>

#include "lib/base/strings.h"
#include "lib/ipc/messages/policy.h"

namespace postern::smtpd {

struct RuleNote {
    std::string refused;  // the last answer's, when it was a refusal: its line follows at once
    std::string passed;   // what let the message's recipients pass, told with the message

    void note(const ipc::PolicyAnswer& answer) {
        constexpr std::size_t kEnough = 1000;
        const bool accepted = answer.outcome == ipc::Outcome::accept;
        refused = accepted ? std::string() : answer.rule;
        if (!accepted || passed.size() > kEnough || passed.find(answer.rule) != std::string::npos)
            return;
        passed += cat({passed.empty() ? "" : "; ", answer.rule});
    }
};

}  // namespace postern::smtpd
