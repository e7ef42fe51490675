// Variable envelope return paths: a sender that names the recipient, so that whoever gets a bounce
// knows whom it is about.
#pragma once

#include <string>
#include <string_view>

namespace postern::mail {

// "list@a.test" for "user@b.test", with delimiters "+=": "list+user=b.test@a.test". The sender as
// it is where it has no domain, or where the delimiters are not two characters.
std::string verp_sender(std::string_view sender, std::string_view delimiters,
                        std::string_view recipient);

}  // namespace postern::mail
