// LIST and LSUB: which names match, with their attributes. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/mailbox/store.h"

namespace postern::imapd {

struct Listed {
    std::string name;
    std::string attributes;  // "(\HasNoChildren)"
};

std::vector<Listed> list_folders(const std::vector<mailbox::Folder>& folders,
                                 std::string_view reference, std::string_view pattern);
// RFC 3501 6.3.9: a parent of a match is given as \Noselect where "%" stops above the subscribed
// name.
std::vector<Listed> list_subscriptions(const std::vector<std::string>& names,
                                       std::string_view reference, std::string_view pattern);
// "* LIST (\Noselect) "." name"
std::string list_line(std::string_view verb, const Listed& listed);

}  // namespace postern::imapd
