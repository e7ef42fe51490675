// CharacterSet: a parameter that lists characters, with \a \b \f \n \r \t \v \\ and \ooo.
#pragma once

#include <bitset>
#include <string>
#include <string_view>

#include "lib/base/result.h"

namespace postern::config {

class CharacterSet {
  public:
    // Errc::invalid for another escape.
    static Result<CharacterSet> parse(std::string_view text);

    static CharacterSet all() {
        CharacterSet set;
        set.all_.set();
        return set;
    }
    bool has(char c) const { return all_[static_cast<unsigned char>(c)]; }
    bool empty() const { return all_.none(); }
    // With "_" for what is not in the set.
    std::string filtered(std::string_view text) const;

  private:
    std::bitset<256> all_;
};

}  // namespace postern::config
