// Difference: what a reload has to do to each service. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace postern::master {

// A service's name (master.cf entry's key) and what it listens on (endpoint_plan()).
struct Outline {
    std::string key;
    std::string plan;
};

struct Difference {
    struct Pair {
        std::size_t running, wanted;  // indices
    };
    std::vector<std::size_t> retire;  // running, not wanted any more
    std::vector<Pair> keep;           // the same sockets
    std::vector<Pair> rebind;         // other sockets
    std::vector<std::size_t> add;     // wanted, not running
};

// Of two wanted entries with one key the first counts.
Difference compare(const std::vector<Outline>& running, const std::vector<Outline>& wanted);

}  // namespace postern::master
