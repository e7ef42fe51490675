// SharedDict: who has shared folders with whom, so that nobody need look into all homes for it. A
// file in the format of Dovecot's acl_shared_dict with the driver "file": lines of keys and values
// in turn,
//     shared/shared-boxes/user/<to>/<owner>      1
//     shared/shared-boxes/group/<to>/<owner>     1
//     shared/shared-boxes/anyone/<owner>         1
// It says where to look and grants nothing: the folders' lists do.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/base/result.h"
#include "lib/mailbox/acl.h"
#include "lib/sys/fs.h"

namespace postern::mailbox {

class SharedDict {
  public:
    SharedDict(sys::Fs& fs, std::string file) : fs_(&fs), file_(std::move(file)) {}

    // Whose folders this one may find something in: at most `limit` owners, sorted, not himself.
    Result<std::vector<std::string>> owners_for(const Person& person, std::size_t limit) const;

    // The identifiers ("fred", "$staff", "anyone") to whom the owner gives something; the others
    // are forgotten. With `only_add` they are not.
    Result<void> publish(const std::string& owner, const std::vector<std::string>& identifiers,
                         bool only_add) const;

  private:
    using Pair = std::pair<std::string, std::string>;  // identifier, owner
    struct Content {
        std::set<Pair> pairs;
        std::vector<Pair> others;  // keys that are not ours, with their values
    };
    Result<Content> read() const;

    sys::Fs* fs_;
    std::string file_;
};

}  // namespace postern::mailbox
