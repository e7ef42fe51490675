// KeywordLog: the truth for keywords: postern.log.
//   postern-log 1 <uid validity>
//   <crc32c of the rest, hex> <uid> <keyword>...
// A line gives all keywords of a message; a later line replaces earlier ones. Lines whose checksum
// is wrong are passed over. $Forwarded is not here but in the file name (flag P).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "lib/base/result.h"
#include "lib/mailbox/line_log.h"
#include "lib/mailbox/mailbox.h"
#include "lib/sys/fs.h"

namespace postern::mailbox {

class KeywordLog {
  public:
    KeywordLog(sys::Fs& fs, const std::string& folder) : log_(fs, folder + "/postern.log") {}

    void move_to(const std::string& folder) { log_.move_to(folder + "/postern.log"); }

    // Follows the file; records of another UIDVALIDITY count as none. `changed` hears of every uid
    // whose keywords may have changed; 0 means any.
    Result<void> refresh(std::uint32_t validity, const std::function<void(Uid)>& changed);
    bool stale() const { return log_.stale(); }

    KeywordBits bits(Uid uid) const;
    const std::vector<std::string>& names() const {
        return names_;
    }  // index = bit; 0 is $Forwarded
    // The bit for a name; adds it where there is room, otherwise 0 bits.
    KeywordBits intern(std::string_view name);

    // Under the folder's lock, after refresh(): records the keywords of messages (bit 0 is
    // ignored).
    Result<void> write(std::uint32_t validity,
                       const std::vector<std::pair<Uid, KeywordBits>>& changes);

  private:
    void on_header(std::string_view header);
    void on_line(std::string_view line);
    std::string line(Uid uid, KeywordBits bits) const;
    Result<void> rewrite(std::uint32_t validity);

    LineLog log_;
    std::vector<std::string> names_{std::string(kForwardedKeyword)};
    std::unordered_map<Uid, KeywordBits> bits_;
    std::uint32_t expected_validity_ = 0;
    std::uint32_t file_validity_ = 0;
    std::size_t lines_ = 0;
    const std::function<void(Uid)>* changed_ = nullptr;  // during refresh()
};

}  // namespace postern::mailbox
