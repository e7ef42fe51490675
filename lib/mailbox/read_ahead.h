// Which messages the disk should be asked for before somebody reads them. A first look at a folder
// reads one small file after the other; where the page cache has none of them, each would wait for
// the disk alone, and where it has them all, asking would cost a quarter more.
#pragma once

#include <cstdint>

namespace postern::mailbox {

class ReadAhead {
  public:
    struct Range {
        std::uint32_t first = 1, last = 0;  // none
        bool operator==(const Range&) const = default;
    };
    // Message `seq` of `count` was read. Which should be asked for; none where messages are not
    // read in their order, the disk has nothing to do with it, or enough were asked for.
    Range after(std::uint32_t seq, bool from_disk, std::uint32_t count);

  private:
    std::uint32_t last_ = 0;
    std::uint32_t in_order_ = 0;  // how many were
    std::uint32_t asked_ = 0;     // the last one
};

}  // namespace postern::mailbox
