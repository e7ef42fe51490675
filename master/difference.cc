#include "master/difference.h"

#include <map>

namespace postern::master {

Difference compare(const std::vector<Outline>& running, const std::vector<Outline>& wanted) {
    std::map<std::string, std::size_t> left;  // wanted, by key, and not met yet
    for (std::size_t i = 0; i < wanted.size(); ++i) left.emplace(wanted[i].key, i);
    Difference out;
    for (std::size_t i = 0; i < running.size(); ++i) {
        const auto found = left.find(running[i].key);
        if (found == left.end()) {
            out.retire.push_back(i);
            continue;
        }
        const bool same = wanted[found->second].plan == running[i].plan;
        (same ? out.keep : out.rebind).push_back({i, found->second});
        left.erase(found);
    }
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        const auto found = left.find(wanted[i].key);
        if (found != left.end() && found->second == i) out.add.push_back(i);
    }
    return out;
}

}  // namespace postern::master
