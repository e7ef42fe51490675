#include "lib/imap/command.h"

#include <utility>

#include "lib/base/strings.h"
#include "lib/imap/command_reader.h"
#include "lib/imap/parser.h"

namespace postern::imap {
namespace {

constexpr std::pair<std::string_view, Verb> kVerbs[] = {
    {"CAPABILITY", Verb::capability},
    {"NOOP", Verb::noop},
    {"LOGOUT", Verb::logout},
    {"STARTTLS", Verb::starttls},
    {"AUTHENTICATE", Verb::authenticate},
    {"LOGIN", Verb::login},
    {"SELECT", Verb::select},
    {"EXAMINE", Verb::examine},
    {"CREATE", Verb::create},
    {"DELETE", Verb::delete_},
    {"RENAME", Verb::rename},
    {"SUBSCRIBE", Verb::subscribe},
    {"UNSUBSCRIBE", Verb::unsubscribe},
    {"LIST", Verb::list},
    {"LSUB", Verb::lsub},
    {"STATUS", Verb::status},
    {"APPEND", Verb::append},
    {"REPLACE", Verb::replace},
    {"CHECK", Verb::check},
    {"CLOSE", Verb::close},
    {"UNSELECT", Verb::unselect},
    {"EXPUNGE", Verb::expunge},
    {"SEARCH", Verb::search},
    {"FETCH", Verb::fetch},
    {"STORE", Verb::store},
    {"COPY", Verb::copy},
    {"MOVE", Verb::move},
    {"IDLE", Verb::idle},
    {"NAMESPACE", Verb::namespace_},
    {"ID", Verb::id},
    {"ENABLE", Verb::enable},
    {"SORT", Verb::sort},
    {"COMPRESS", Verb::compress},
    {"GETMETADATA", Verb::getmetadata},
    {"SETMETADATA", Verb::setmetadata},
    {"THREAD", Verb::thread},
    {"GETQUOTA", Verb::getquota},
    {"GETQUOTAROOT", Verb::getquotaroot},
    {"SETQUOTA", Verb::setquota},
    {"ESEARCH", Verb::esearch},
    {"CANCELUPDATE", Verb::cancelupdate},
    {"NOTIFY", Verb::notify},
    {"SETACL", Verb::setacl},
    {"DELETEACL", Verb::deleteacl},
    {"GETACL", Verb::getacl},
    {"LISTRIGHTS", Verb::listrights},
    {"MYRIGHTS", Verb::myrights},
    {"GENURLAUTH", Verb::genurlauth},
    {"RESETKEY", Verb::resetkey},
    {"URLFETCH", Verb::urlfetch},
};

constexpr std::size_t kMaxEnabled = 50;
constexpr std::size_t kMaxTags = 200;  // of CANCELUPDATE
constexpr std::size_t kMaxSpecialUses = 10;
constexpr std::size_t kMaxIdPairs = 30;  // RFC 2971 3.3

Result<MailboxArgument> parse_mailbox(Parser& parser) {
    MailboxArgument out;
    TRY(parser.space());
    TRY_ASSIGN(out.mailbox, parser.astring());
    return out;
}

Result<RenameArguments> parse_rename(Parser& parser) {
    RenameArguments out;
    TRY(parser.space());
    TRY_ASSIGN(out.from, parser.astring());
    TRY(parser.space());
    TRY_ASSIGN(out.to, parser.astring());
    return out;
}

// Calls one for each member of a parenthesized list, which has at least one.
template <class One>
Result<void> parse_parenthesized(Parser& parser, One one) {
    TRY(parser.expect('('));
    do {
        TRY(one());
    } while (parser.eat(' '));
    return parser.expect(')');
}

// RFC 7162 7 "select-param": QRESYNC (uidvalidity modseq [known-uids] [(seqs uids)])
Result<Qresync> parse_qresync(Parser& parser) {
    Qresync out;
    TRY(parser.space());
    TRY(parser.expect('('));
    TRY_ASSIGN(out.uid_validity, parser.nz_number());
    TRY(parser.space());
    TRY_ASSIGN(out.modseq, parser.mod_sequence());
    if (out.modseq == 0) return bad("Invalid mod-sequence");
    bool more = parser.eat(' ');
    if (more && parser.peek() != '(') {
        TRY_ASSIGN(out.known_uids, parser.sequence_set());
        more = parser.eat(' ');
    }
    if (more) {
        TRY(parser.expect('('));
        TRY_ASSIGN(out.match_seqs, parser.sequence_set());
        TRY(parser.space());
        TRY_ASSIGN(out.match_uids, parser.sequence_set());
        TRY(parser.expect(')'));
    }
    TRY(parser.expect(')'));
    // RFC 7162 7: known-uids and known-sequence-set are without "*"; "$" would be of no use
    for (const SequenceSet* set : {&out.match_seqs, &out.match_uids})
        if (set->has_star() || set->is_saved_result()) return bad("Invalid message set");
    if (out.known_uids && (out.known_uids->has_star() || out.known_uids->is_saved_result()))
        return bad("Invalid message set");
    return out;
}

Result<SelectArguments> parse_select(Parser& parser) {
    SelectArguments out;
    TRY(parser.space());
    TRY_ASSIGN(out.mailbox, parser.astring());
    if (!parser.eat(' ') || parser.at_end()) return out;
    const auto one = [&]() -> Result<void> {
        TRY_ASSIGN(const std::string_view word, parser.word());
        if (iequals(word, "CONDSTORE")) {
            out.condstore = true;
        } else if (iequals(word, "QRESYNC")) {
            TRY_ASSIGN(out.qresync, parse_qresync(parser));
        } else {
            return bad("Unknown SELECT parameter " + printable(word, 40));
        }
        return {};
    };
    TRY(parse_parenthesized(parser, one));
    return out;
}

// RFC 6154 3: CREATE name (USE (\Drafts))
Result<CreateArguments> parse_create(Parser& parser) {
    CreateArguments out;
    TRY(parser.space());
    TRY_ASSIGN(out.mailbox, parser.astring());
    if (!parser.eat(' ') || parser.at_end()) return out;
    const auto one = [&]() -> Result<void> {
        TRY_ASSIGN(const std::string_view word, parser.word());
        if (!iequals(word, "USE")) return bad("Unknown CREATE parameter " + printable(word, 40));
        TRY(parser.space());
        TRY_ASSIGN(out.special_use, parser.flag_list());
        if (out.special_use.size() > kMaxSpecialUses) return bad("Too many special uses");
        return {};
    };
    TRY(parse_parenthesized(parser, one));
    return out;
}

Result<ListArguments> parse_list(Parser& parser) {
    TRY(parser.space());
    return parse_list_arguments(parser);
}

Result<LsubArguments> parse_lsub(Parser& parser) {
    LsubArguments out;
    TRY(parser.space());
    TRY_ASSIGN(out.reference, parser.astring());
    TRY(parser.space());
    TRY_ASSIGN(out.pattern, parser.list_mailbox());
    return out;
}

Result<StatusArguments> parse_status(Parser& parser) {
    StatusArguments out;
    TRY(parser.space());
    TRY_ASSIGN(out.mailbox, parser.astring());
    TRY(parser.space());
    TRY_ASSIGN(out.items, parse_status_items(parser));
    return out;
}

// The mark of a literal, "{n}", which ends the text.
bool is_literal_mark(std::string_view mark) {
    CommandReader::Literal literal;
    if (mark.ends_with("\r\n")) mark.remove_suffix(2);
    return mark.find('{') == 0 && mark.find('}') == mark.size() - 1 &&
           announces_literal(mark, literal);
}

// RFC 4469 5 "cat-part"s up to a text's literal or the ")".
Result<CatenatePiece> parse_cat_parts(Parser& parser) {
    CatenatePiece out;
    for (;;) {
        TRY_ASSIGN(const std::string_view word, parser.word());
        TRY(parser.space());
        if (iequals(word, "TEXT") || iequals(word, "UTF8")) {
            out.utf8 = iequals(word, "UTF8");  // RFC 6855 4
            if (out.utf8) {
                TRY(parser.expect('('));
                TRY(parser.expect('~'));
            }
            if (!is_literal_mark(parser.rest())) return bad("TEXT needs a literal");
            return out;
        }
        if (!iequals(word, "URL")) return bad("Unknown CATENATE part " + printable(word, 40));
        TRY_ASSIGN(std::string url, parser.astring());
        out.urls.push_back(std::move(url));
        if (out.urls.size() > kMaxUrls) return bad("Too many URLs");
        if (parser.eat(')')) break;
        TRY(parser.space());
    }
    out.closed = true;
    out.rest = parser.rest();
    return out;
}

// Flags, date and the mark of the message's literal, which ends the text.
Result<AppendItem> parse_append_item(Parser& parser) {
    AppendItem out;
    if (parser.peek() == '(') {
        TRY_ASSIGN(out.flags, parser.flag_list());
        TRY(parser.space());
    }
    if (parser.peek() == '"') {
        TRY_ASSIGN(const std::string text, parser.string());
        out.date = mail::parse_internal_date(text);
        if (!out.date) return bad("Invalid INTERNALDATE");
        TRY(parser.space());
    }
    if (istarts_with(parser.rest(), "CATENATE ")) {
        TRY(parser.word());
        TRY(parser.space());
        TRY(parser.expect('('));
        TRY_ASSIGN(out.catenate, parse_cat_parts(parser));
        return out;
    }
    if (istarts_with(parser.rest(), "UTF8 ")) {
        TRY(parser.word());
        TRY(parser.space());
        TRY(parser.expect('('));
        if (parser.peek() != '~') return bad("UTF8 needs a literal8");
        out.utf8 = true;
    }
    out.binary = parser.eat('~') && !out.utf8;
    if (!is_literal_mark(parser.rest())) return bad("APPEND needs a message as a literal");
    return out;
}

Result<AppendArguments> parse_append(Parser& parser) {
    AppendArguments out;
    TRY(parser.space());
    TRY_ASSIGN(out.mailbox, parser.astring());
    TRY(parser.space());
    TRY_ASSIGN(out.first, parse_append_item(parser));
    return out;
}

// RFC 8508 3: REPLACE 4 Drafts (\\Seen) {312}
Result<AppendArguments> parse_replace(Parser& parser) {
    TRY(parser.space());
    TRY_ASSIGN(const SequenceSet set, parser.sequence_set());
    TRY_ASSIGN(AppendArguments out, parse_append(parser));
    out.replaces = set;
    return out;
}

Result<ExpungeArguments> parse_uid_expunge(Parser& parser) {
    ExpungeArguments out;
    TRY(parser.space());
    TRY_ASSIGN(out.uids, parser.sequence_set());
    return out;
}

Result<FetchArguments> parse_fetch(Parser& parser) {
    FetchArguments out;
    TRY(parser.space());
    TRY_ASSIGN(out.set, parser.sequence_set());
    TRY(parser.space());
    TRY_ASSIGN(out.items, parse_fetch_items(parser));
    if (!parser.eat(' ') || parser.at_end()) return out;
    const auto one = [&]() -> Result<void> {
        TRY_ASSIGN(const std::string_view word, parser.word());
        if (iequals(word, "CHANGEDSINCE")) {
            TRY(parser.space());
            TRY_ASSIGN(out.changed_since, parser.mod_sequence());
        } else if (iequals(word, "VANISHED")) {
            out.vanished = true;
        } else if (iequals(word, "PARTIAL")) {
            TRY(parser.space());
            TRY_ASSIGN(out.partial, parse_partial_range(parser));
        } else {
            return bad("Unknown FETCH modifier " + printable(word, 40));
        }
        return {};
    };
    TRY(parse_parenthesized(parser, one));
    // RFC 7162 3.2.6
    if (out.vanished && !out.changed_since) return bad("VANISHED needs CHANGEDSINCE");
    return out;
}

Result<CompressArguments> parse_compress(Parser& parser) {
    TRY(parser.space());
    TRY_ASSIGN(const std::string_view mechanism, parser.atom());
    return CompressArguments{std::string(mechanism)};
}

Result<QuotaArguments> parse_quota(Parser& parser) {
    QuotaArguments out;
    TRY(parser.space());
    TRY_ASSIGN(out.root, parser.astring());
    return out;
}

Result<EnableArguments> parse_enable(Parser& parser) {
    EnableArguments out;
    TRY(parser.space());
    do {
        TRY_ASSIGN(const std::string_view name, parser.atom());
        out.names.emplace_back(name);
        if (out.names.size() > kMaxEnabled) return bad("Too many arguments");
    } while (parser.eat(' ') && !parser.at_end());
    return out;
}

// RFC 3501 9 store-att-flags: a list, or flags without parentheses
Result<std::vector<std::string>> parse_store_flags(Parser& parser) {
    if (parser.peek() == '(') return parser.flag_list();
    std::vector<std::string> flags;
    do {
        TRY_ASSIGN(std::string flag, parser.flag());
        flags.push_back(std::move(flag));
    } while (parser.eat(' ') && !parser.at_end());
    return flags;
}

Result<void> parse_store_modifiers(Parser& parser, StoreArguments& out) {
    return parse_parenthesized(parser, [&]() -> Result<void> {
        TRY_ASSIGN(const std::string_view word, parser.word());
        if (!iequals(word, "UNCHANGEDSINCE"))
            return bad("Unknown STORE modifier " + printable(word, 40));
        TRY(parser.space());
        TRY_ASSIGN(out.unchanged_since, parser.mod_sequence());
        return {};
    });
}

Result<StoreArguments> parse_store(Parser& parser) {
    StoreArguments out;
    TRY(parser.space());
    TRY_ASSIGN(out.set, parser.sequence_set());
    TRY(parser.space());
    if (parser.peek() == '(') {
        TRY(parse_store_modifiers(parser, out));
        TRY(parser.space());
    }
    if (parser.eat('+')) {
        out.mode = StoreArguments::Mode::add;
    } else if (parser.eat('-')) {
        out.mode = StoreArguments::Mode::remove;
    }
    TRY_ASSIGN(const std::string_view item, parser.word());
    out.silent = iequals(item, "FLAGS.SILENT");
    if (!out.silent && !iequals(item, "FLAGS"))
        return bad("Unknown STORE item " + printable(item, 40));
    TRY(parser.space());
    TRY_ASSIGN(out.flags, parse_store_flags(parser));
    return out;
}

Result<CopyArguments> parse_copy(Parser& parser) {
    CopyArguments out;
    TRY(parser.space());
    TRY_ASSIGN(out.set, parser.sequence_set());
    TRY(parser.space());
    TRY_ASSIGN(out.mailbox, parser.astring());
    return out;
}

// RFC 2971 3.1: checked, not kept
Result<void> parse_id(Parser& parser) {
    TRY(parser.space());
    if (!parser.eat('(')) {
        TRY(parser.nstring());
        return {};
    }
    for (std::size_t pairs = 0; !parser.eat(')'); ++pairs) {
        if (pairs > 0) TRY(parser.space());
        TRY(parser.string());
        TRY(parser.space());
        TRY(parser.nstring());
        if (pairs >= kMaxIdPairs) return bad("Too many ID parameters");
    }
    return {};
}

bool has_uid_variant(Verb verb) {
    return verb == Verb::fetch || verb == Verb::store || verb == Verb::copy ||
           verb == Verb::search || verb == Verb::sort || verb == Verb::thread ||
           verb == Verb::move || verb == Verb::expunge || verb == Verb::replace;
}

Result<CancelUpdateArguments> parse_cancel_update(Parser& parser) {
    CancelUpdateArguments out;
    do {
        TRY(parser.space());
        TRY_ASSIGN(std::string tag, parser.string());
        out.tags.push_back(std::move(tag));
        if (out.tags.size() > kMaxTags) return bad("Too many tags");
    } while (!parser.at_end());
    return out;
}

// Assigns the Result's value to the variant.
template <class T>
Result<void> take(Command& command, Result<T> arguments) {
    TRY_ASSIGN(command.arguments, std::move(arguments));
    return {};
}

Result<void> parse_arguments(Parser& parser, Command& command) {
    switch (command.verb) {
        case Verb::select:
        case Verb::examine: return take(command, parse_select(parser));
        case Verb::create: return take(command, parse_create(parser));
        case Verb::compress: return take(command, parse_compress(parser));
        case Verb::getmetadata: return take(command, parse_get_metadata(parser));
        case Verb::setmetadata: return take(command, parse_set_metadata(parser));
        case Verb::enable: return take(command, parse_enable(parser));
        case Verb::getquota: return take(command, parse_quota(parser));
        case Verb::esearch: return take(command, parse_esearch_arguments(parser));
        case Verb::cancelupdate: return take(command, parse_cancel_update(parser));
        case Verb::setacl: return take(command, parse_acl_arguments(parser, AclForm::rights));
        case Verb::deleteacl:
        case Verb::listrights:
            return take(command, parse_acl_arguments(parser, AclForm::identifier));
        case Verb::getacl:
        case Verb::myrights: return take(command, parse_acl_arguments(parser, AclForm::mailbox));
        case Verb::notify: return take(command, parse_notify(parser));
        case Verb::genurlauth: return take(command, parse_genurlauth(parser));
        case Verb::resetkey: return take(command, parse_resetkey(parser));
        case Verb::urlfetch: return take(command, parse_urlfetch(parser));
        case Verb::getquotaroot:
        case Verb::delete_:
        case Verb::subscribe:
        case Verb::unsubscribe: return take(command, parse_mailbox(parser));
        case Verb::rename: return take(command, parse_rename(parser));
        case Verb::list: return take(command, parse_list(parser));
        case Verb::lsub: return take(command, parse_lsub(parser));
        case Verb::status: return take(command, parse_status(parser));
        case Verb::append: return take(command, parse_append(parser));
        case Verb::replace: return take(command, parse_replace(parser));
        case Verb::search: return take(command, parse_search_arguments(parser));
        case Verb::sort: return take(command, parse_sort_arguments(parser));
        case Verb::thread: return take(command, parse_thread_arguments(parser));
        case Verb::fetch: return take(command, parse_fetch(parser));
        case Verb::store: return take(command, parse_store(parser));
        case Verb::copy:
        case Verb::move: return take(command, parse_copy(parser));
        case Verb::id: return parse_id(parser);
        case Verb::expunge:
            if (command.uid) return take(command, parse_uid_expunge(parser));
            return {};
        default: return {};
    }
}

// Their arguments are never read: the answer is the same whatever they are.
bool is_refused_anyway(Verb verb) {
    return verb == Verb::login || verb == Verb::authenticate || verb == Verb::starttls ||
           verb == Verb::setquota;
}

}  // namespace

std::optional<Verb> verb_of(std::string_view word) {
    for (const auto& [name, verb] : kVerbs) {
        if (iequals(word, name)) return verb;
    }
    return std::nullopt;
}

std::string_view name_of(Verb verb) {
    for (const auto& [name, value] : kVerbs) {
        if (value == verb) return name;
    }
    return "";
}

Result<Command> parse_command(std::string_view text) {
    Parser parser(text);
    Command command;
    TRY_ASSIGN(command.tag, parser.tag());
    TRY(parser.space());
    TRY_ASSIGN(std::string_view word, parser.word());
    if (iequals(word, "UID")) {
        command.uid = true;
        TRY(parser.space());
        TRY_ASSIGN(word, parser.word());
    }
    const auto verb = verb_of(word);
    if (!verb || (command.uid && !has_uid_variant(*verb)))
        return bad("Unknown command " + printable(word, 40));
    command.verb = *verb;
    if (is_refused_anyway(*verb)) return command;
    TRY(parse_arguments(parser, command));
    if (command.verb != Verb::append && command.verb != Verb::replace) TRY(parser.end());
    return command;
}

bool is_append_with_message(std::string_view text) {
    Parser parser(text);
    if (!parser.tag() || !parser.space()) return false;
    auto word = parser.word();
    if (word && iequals(*word, "UID") && parser.space()) word = parser.word();
    if (!word) return false;
    if (!iequals(*word, "REPLACE") && !iequals(*word, "APPEND")) return false;
    auto command = iequals(*word, "REPLACE") ? parse_replace(parser) : parse_append(parser);
    if (!command) return false;
    // RFC 4469: messages made of URLs only may come before the one that the literal belongs to
    AppendItem item = std::move(command->first);
    while (item.catenate && item.catenate->closed) {
        auto next = parse_next_append(item.catenate->rest);
        if (!next) return false;
        item = *std::move(next);
    }
    return true;
}

Result<CatenatePiece> parse_catenate_piece(std::string_view text) {
    Parser parser(text);
    if (parser.eat(')')) {
        CatenatePiece out;
        out.closed = true;
        out.rest = parser.rest();
        return out;
    }
    TRY(parser.space());
    return parse_cat_parts(parser);
}

Result<AppendItem> parse_next_append(std::string_view text) {
    Parser parser(text);
    TRY(parser.space());
    return parse_append_item(parser);
}

}  // namespace postern::imap
