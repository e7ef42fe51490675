// What postconf(5), as a manual page and in HTML, and postconf -H say about a parameter; from its
// row.
#pragma once

#include <string>
#include <string_view>

#include "lib/config/params.h"

namespace postern::commands {

struct ParameterText {
    std::string_view type;  // "time", "yes or no"
    std::string default_value;
    std::string_view documentation;
    std::string standing;  // "Honoured by smtpd, policy."
    std::string limits;    // "From 1s to 1000s.", or empty
};

ParameterText text_of(const config::Row& row);

}  // namespace postern::commands
