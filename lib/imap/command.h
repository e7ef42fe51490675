// Command: one client command of the authenticated state, parsed (RFC 3501 6, IDLE of RFC 2177,
// UIDPLUS of RFC 4315, MOVE of RFC 6851, UNSELECT of RFC 3691, NAMESPACE of RFC 2342, ID of RFC
// 2971). Parsing checks syntax only; whether a mailbox exists or is selected is imapd's business.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "lib/base/result.h"
#include "lib/imap/fetch_item.h"
#include "lib/imap/search_key.h"
#include "lib/imap/sequence_set.h"
#include "lib/mail/date.h"

namespace postern::imap {

enum class Verb : unsigned char {
    capability,
    noop,
    logout,
    starttls,
    authenticate,
    login,
    select,
    examine,
    create,
    delete_,
    rename,
    subscribe,
    unsubscribe,
    list,
    lsub,
    status,
    append,
    check,
    close,
    unselect,
    expunge,
    search,
    fetch,
    store,
    copy,
    move,
    idle,
    namespace_,
    id,
};

// SELECT EXAMINE CREATE DELETE SUBSCRIBE UNSUBSCRIBE. Names are as on the wire (modified UTF-7).
struct MailboxArgument {
    std::string mailbox;
};
struct RenameArguments {
    std::string from, to;
};
struct ListArguments {
    std::string reference, pattern;
};
enum class StatusItem : unsigned char { messages, recent, uid_next, uid_validity, unseen };
struct StatusArguments {
    std::string mailbox;
    std::vector<StatusItem> items;
};
// The message itself follows as the literal that the command's text ends with.
struct AppendArguments {
    std::string mailbox;
    std::vector<std::string> flags;
    std::optional<mail::DateTime> date;
};
struct ExpungeArguments {
    SequenceSet uids;  // UID EXPUNGE
};
struct SearchArguments {
    std::string charset;  // empty: not given
    SearchKey key;
};
struct FetchArguments {
    SequenceSet set;
    std::vector<FetchItem> items;
};
struct StoreArguments {
    enum class Mode : unsigned char { replace, add, remove };
    SequenceSet set;
    Mode mode = Mode::replace;
    bool silent = false;
    std::vector<std::string> flags;
};
struct CopyArguments {  // COPY and MOVE
    SequenceSet set;
    std::string mailbox;
};

struct Command {
    std::string tag;
    Verb verb = Verb::noop;
    bool uid = false;  // the UID variant
    std::variant<std::monostate, MailboxArgument, RenameArguments, ListArguments, StatusArguments,
                 AppendArguments, ExpungeArguments, SearchArguments, FetchArguments, StoreArguments,
                 CopyArguments>
        arguments;
};

// How far the command's tag could be read matters for the answer: see tag_or_star().
Result<Command> parse_command(std::string_view text);

// "SELECT" -> Verb::select; nothing for an unknown word. For counting and for the login half.
std::optional<Verb> verb_of(std::string_view name);
std::string_view name_of(Verb verb);

// Whether the text, cut off at a literal mark, is an APPEND whose message that literal is.
bool is_append_with_message(std::string_view text);

}  // namespace postern::imap
