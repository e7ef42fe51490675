// The base subject of RFC 5256 2.1: what is left when "Re:", "Fwd:", "[list]" and the like are
// taken off. Pure.
#pragma once

#include <string>
#include <string_view>

namespace postern::imap {

struct BaseSubject {
    std::string text;
    bool is_reply = false;  // or a forward: something of that kind was taken off
};
// Of a Subject field's text, encoded words and all.
BaseSubject base_subject(std::string_view subject);

// In the form in which SORT compares texts: i;ascii-casemap (RFC 4790 9.2), and beyond ASCII by the
// simple case folding that SEARCH has.
std::string collated(std::string_view utf8);

}  // namespace postern::imap
