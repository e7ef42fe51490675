// The arguments of SETACL, DELETEACL, GETACL, LISTRIGHTS, MYRIGHTS: RFC 4314 3.
#pragma once

#include <string>

#include "lib/base/result.h"
#include "lib/imap/parser.h"

namespace postern::imap {

struct AclArguments {
    enum class Mode : unsigned char { replace, add, remove };
    std::string mailbox;
    std::string identifier;     // SETACL, DELETEACL, LISTRIGHTS
    Mode mode = Mode::replace;  // SETACL: "+lr", "-lr"
    std::string rights;         // SETACL
};

enum class AclForm : unsigned char { mailbox, identifier, rights };  // how much follows
Result<AclArguments> parse_acl_arguments(Parser& parser, AclForm form);

}  // namespace postern::imap
