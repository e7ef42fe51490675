#include "lib/imap/acl_arguments.h"

#include "lib/base/strings.h"

namespace postern::imap {

Result<AclArguments> parse_acl_arguments(Parser& parser, AclForm form) {
    AclArguments out;
    TRY(parser.space());
    TRY_ASSIGN(out.mailbox, parser.astring());
    if (form == AclForm::mailbox) return out;
    TRY(parser.space());
    TRY_ASSIGN(out.identifier, parser.astring());
    if (form == AclForm::identifier) return out;
    TRY(parser.space());
    TRY_ASSIGN(out.rights, parser.astring());
    if (out.rights.starts_with('+')) out.mode = AclArguments::Mode::add;
    if (out.rights.starts_with('-')) out.mode = AclArguments::Mode::remove;
    if (out.mode != AclArguments::Mode::replace) out.rights.erase(0, 1);
    return out;
}

}  // namespace postern::imap
