// Which messages the disk should be asked for before somebody reads them. A first look at a folder
// reads one small file after the other; where the page cache has none of them, each would wait for
// the disk alone, and where it has them all, asking would cost a quarter more.
#pragma once

#include <cstdint>

namespace postern::mailbox {

class ReadAhead {
  public:
    // Message `seq` of `count` was read. The last message that should be asked for, behind it; 0:
    // none, as messages are not read in their order, or the disk has nothing to do with it.
    std::uint32_t after(std::uint32_t seq, bool from_disk, std::uint32_t count);

  private:
    std::uint32_t last_ = 0;
    std::uint32_t in_order_ = 0;  // how many were
};

}  // namespace postern::mailbox
