// What a test of crashes owes after the notes it took: "accepted ID" promises delivery to both recipients
// of its messages, "done ID address" keeps one of these promises.
#pragma once

#include <set>
#include <string>
#include <vector>

namespace postern::support {

// "ID address" of every promise that is still open.
inline std::set<std::string> owed(const std::vector<std::string>& notes) {
    std::set<std::string> owed;
    for (const std::string& note : notes) {
        if (note.starts_with("accepted ")) {
            for (const char* address : {" one@x.test", " two@x.test"}) owed.insert(note.substr(9) + address);
        }
        if (note.starts_with("done ")) owed.erase(note.substr(5));
    }
    return owed;
}

}  // namespace postern::support
