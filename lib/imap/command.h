// Command: one client command of the authenticated state, parsed (RFC 3501 6, IDLE of RFC 2177,
// UIDPLUS of RFC 4315, MOVE of RFC 6851, UNSELECT of RFC 3691, NAMESPACE of RFC 2342, ID of RFC
// 2971, ENABLE of RFC 5161, CONDSTORE and QRESYNC of RFC 7162, ESEARCH of RFC 4731, SEARCHRES of
// RFC 5182, LIST-EXTENDED of RFC 5258, SPECIAL-USE of RFC 6154, MULTIAPPEND of RFC 3502). Parsing
// checks syntax only; whether a mailbox exists or is selected is imapd's business.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "lib/base/result.h"
#include "lib/imap/acl_arguments.h"
#include "lib/imap/fetch_item.h"
#include "lib/imap/list_arguments.h"
#include "lib/imap/metadata_arguments.h"
#include "lib/imap/notify_arguments.h"
#include "lib/imap/search_arguments.h"
#include "lib/imap/sequence_set.h"
#include "lib/imap/url_arguments.h"
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
    enable,
    sort,
    thread,
    compress,
    getmetadata,
    setmetadata,
    replace,
    getquota,
    getquotaroot,
    setquota,
    esearch,
    cancelupdate,
    notify,
    setacl,
    deleteacl,
    getacl,
    listrights,
    myrights,
    genurlauth,
    resetkey,
    urlfetch,
};

// DELETE SUBSCRIBE UNSUBSCRIBE. Names are as on the wire (modified UTF-7, or UTF-8 once that is
// enabled).
struct MailboxArgument {
    std::string mailbox;
};
// What a client knows of a mailbox from an earlier session, RFC 7162 3.2.5.
struct Qresync {
    std::uint32_t uid_validity = 0;
    std::uint64_t modseq = 0;
    std::optional<SequenceSet> known_uids;
    // Messages whose numbers the client remembers: sequence numbers and, as many, UIDs.
    SequenceSet match_seqs, match_uids;
};
struct SelectArguments {  // SELECT EXAMINE
    std::string mailbox;
    bool condstore = false;
    std::optional<Qresync> qresync;
};
struct CreateArguments {
    std::string mailbox;
    std::vector<std::string> special_use;  // "\\Sent", RFC 6154 3
};
struct QuotaArguments {  // GETQUOTA, RFC 9208
    std::string root;
};
struct CancelUpdateArguments {  // RFC 5267 4.3.5
    std::vector<std::string> tags;
};
struct CompressArguments {  // RFC 4978
    std::string mechanism;
};
struct EnableArguments {
    std::vector<std::string> names;
};
struct RenameArguments {
    std::string from, to;
};
struct LsubArguments {
    std::string reference, pattern;
};
struct StatusArguments {
    std::string mailbox;
    std::vector<StatusItem> items;
};
// A piece of "CATENATE (URL /INBOX/;UID=3 TEXT {5}", RFC 4469: URLs, then a text, whose literal
// ends the piece, or the end of the message.
struct CatenatePiece {
    std::vector<std::string> urls;
    bool utf8 = false;    // the text is "UTF8 (~{n}": a ")" follows it
    bool closed = false;  // no text: ")"
    std::string rest;     // what follows that
};
// What stands before a message in APPEND. The message itself follows as the literal that the
// command's text ends with, "{n}" or (RFC 3516) "~{n}".
struct AppendItem {
    std::vector<std::string> flags;
    std::optional<mail::DateTime> date;
    bool binary = false;
    bool utf8 = false;                      // "UTF8 (~{n}", RFC 6855 4: a ")" follows the message
    std::optional<CatenatePiece> catenate;  // instead of a literal
};
struct AppendArguments {
    SequenceSet replaces;  // REPLACE, RFC 8508: the message that goes when the new one is there
    std::string mailbox;
    AppendItem first;  // parse_next_append() reads the others of RFC 3502
};
struct ExpungeArguments {
    SequenceSet uids;  // UID EXPUNGE
};
struct FetchArguments {
    SequenceSet set;
    std::vector<FetchItem> items;
    std::optional<std::uint64_t> changed_since;  // RFC 7162 3.1.4.1
    bool vanished = false;                       // RFC 7162 3.2.6
    std::optional<PartialRange> partial;         // RFC 9394 3.3
};
struct StoreArguments {
    enum class Mode : unsigned char { replace, add, remove };
    SequenceSet set;
    Mode mode = Mode::replace;
    bool silent = false;
    std::vector<std::string> flags;
    std::optional<std::uint64_t> unchanged_since;  // RFC 7162 3.1.3
};
struct CopyArguments {  // COPY and MOVE
    SequenceSet set;
    std::string mailbox;
};

struct Command {
    std::string tag;
    Verb verb = Verb::noop;
    bool uid = false;  // the UID variant
    std::variant<std::monostate, MailboxArgument, SelectArguments, CreateArguments, RenameArguments,
                 ListArguments, LsubArguments, StatusArguments, AppendArguments, ExpungeArguments,
                 SearchArguments, FetchArguments, StoreArguments, CopyArguments, EnableArguments,
                 SortArguments, ThreadArguments, CompressArguments, GetMetadataArguments,
                 SetMetadataArguments, QuotaArguments, GenUrlAuthArguments, ResetKeyArguments,
                 UrlFetchArguments, EsearchArguments, CancelUpdateArguments, NotifyArguments,
                 AclArguments>
        arguments;
};

// How far the command's tag could be read matters for the answer: see tag_or_star().
Result<Command> parse_command(std::string_view text);

// "SELECT" -> Verb::select; nothing for an unknown word. For counting and for the login half.
std::optional<Verb> verb_of(std::string_view name);
std::string_view name_of(Verb verb);

// Whether the text, cut off at a literal mark, is an APPEND or REPLACE whose message that literal
// is.
bool is_append_with_message(std::string_view text);
// What follows a message of APPEND, up to the mark of the next one's literal: " (\\Seen) {12}".
Result<AppendItem> parse_next_append(std::string_view text);
// What follows a text of CATENATE: " URL /INBOX/;UID=4)".
Result<CatenatePiece> parse_catenate_piece(std::string_view text);

}  // namespace postern::imap
