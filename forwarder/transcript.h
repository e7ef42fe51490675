// Transcript: what was said on a connection, for the postmaster, where notify_classes has
// "protocol". Pure and bounded: of a long session the latest part is kept. Content and passwords
// are not in it.
#pragma once

#include <string>
#include <string_view>

namespace postern::forwarder {

class Transcript {
  public:
    void received(std::string_view bytes);  // as they come
    void sent(std::string_view commands);   // whole lines
    // In wire form.
    std::string text() const;

  private:
    void add(std::string_view prefix, std::string_view line);

    std::string text_, partial_;
    bool cut_ = false;
    bool in_auth_ = false;  // what we say next may be a password
};

}  // namespace postern::forwarder
