// Routes of a message whose recipients are being resolved, gathered so that recipients with one
// destination travel together.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "qmgr/manager.h"

namespace postern::qmgr {

struct Manager::Routes {
    std::uint32_t open = 0;  // recipients without an answer yet
    std::map<std::pair<std::string, std::string>, std::vector<std::uint32_t>>
        groups;  // transport, destination
};

}  // namespace postern::qmgr
