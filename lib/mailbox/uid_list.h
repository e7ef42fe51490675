// UidList: which UID each message has: postern.uids, the truth for UIDs and UIDVALIDITY.
//   postern-uids 1 <uid validity> <next uid> <mark of Dovecot's list> <mark of Courier's>
//   <uid> <base name>
// UIDs ascend; a later line for the same name replaces the earlier one. See doc/formats/mailbox.md.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "lib/base/result.h"
#include "lib/mailbox/line_log.h"
#include "lib/mailbox/mailbox.h"
#include "lib/sys/fs.h"

namespace postern::mailbox {

struct ForeignUids;

// Another server's list of UIDs as it was when we last read it; zeros: there was none.
struct ListMark {
    std::int64_t mtime_ns = 0;
    std::uint64_t size = 0;
    bool operator==(const ListMark&) const = default;
};
using ListMarks = std::array<ListMark, 2>;  // Dovecot's, Courier's

// UIDVALIDITY from the first line of a folder's list; 0: it has none that can be read.
std::uint32_t validity_in_list(sys::Fs& fs, const std::string& folder);

class UidList {
  public:
    UidList(const Environment& env, const std::string& folder)
        : env_(&env), folder_(folder), log_(*env.fs, folder + "/postern.uids") {}

    void move_to(const std::string& folder) {
        folder_ = folder;
        log_.move_to(folder + "/postern.uids");
    }

    // Follows the file. After it, usable() tells whether there is a valid list.
    Result<void> refresh();
    bool usable() const { return validity_ != 0; }

    Uid find(std::string_view base) const;  // 0: has none
    std::uint32_t validity() const { return validity_; }
    // Under the lock, after ensure(): no UID below this one is given any more.
    Result<void> raise_next(Uid next);
    Uid next_uid() const { return next_; }

    // Under the folder's lock. Makes the list where there is none or where it cannot be read: from
    // that of Dovecot or Courier if there never was one of ours, else with a UIDVALIDITY never used
    // in this store. Repairs a torn tail. Where another server has used the folder since we read its
    // list, the UIDs that it gave count too; where both gave the same ones to other messages, or
    // the list is damaged, there is a new UIDVALIDITY. One that cannot be read now is an error.
    Result<void> ensure();
    // Has another server's list changed since we read it? Then ensure() has something to do.
    bool is_passed() const;
    // Under the folder's lock: gives the names the next UIDs, in order, durably, without reading
    // the list; the caller knows that `first` is the next one. Names that have one get a new one.
    // Errc::permanent when UIDs are used up.
    Result<std::vector<Uid>> append_at(Uid first, std::span<const std::string_view> bases);
    // Under the folder's lock: the list anew. Lines: "<uid> <base>\n", ascending.
    Result<void> replace(std::uint32_t validity, Uid next, std::string_view lines);

  private:
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const {
            return std::hash<std::string_view>{}(text);
        }
    };
    void on_header(std::string_view header);
    void on_line(std::string_view line);
    Result<void> rewrite();
    Result<void> adopt();
    Result<void> write(std::uint32_t validity, Uid next, const ListMarks& marks,
                       std::string_view lines);
    Result<ListMarks> marks_of_others() const;
    bool agrees_with(const ForeignUids& theirs) const;
    Result<void> follow_others();
    Result<void> begin_anew();

    const Environment* env_;
    std::string folder_;
    LineLog log_;
    std::unordered_map<std::string, Uid, Hash, std::equal_to<>> uids_;
    std::uint32_t validity_ = 0;
    Uid next_ = 1;
    ListMarks marks_{};
    Uid last_line_ = 0;
    bool damaged_ = false;
    bool adopted_ = false;  // and not written yet
};

}  // namespace postern::mailbox
