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
};

constexpr std::pair<std::string_view, StatusItem> kStatusItems[] = {
    {"MESSAGES", StatusItem::messages}, {"RECENT", StatusItem::recent},
    {"UIDNEXT", StatusItem::uid_next},  {"UIDVALIDITY", StatusItem::uid_validity},
    {"UNSEEN", StatusItem::unseen},
};
constexpr std::size_t kMaxStatusItems = 20;
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

Result<ListArguments> parse_list(Parser& parser) {
    ListArguments out;
    TRY(parser.space());
    TRY_ASSIGN(out.reference, parser.astring());
    TRY(parser.space());
    TRY_ASSIGN(out.pattern, parser.list_mailbox());
    return out;
}

Result<StatusItem> parse_status_item(Parser& parser) {
    TRY_ASSIGN(const std::string_view word, parser.word());
    for (const auto& [name, item] : kStatusItems) {
        if (iequals(word, name)) return item;
    }
    return bad("Unknown STATUS item " + printable(word, 40));
}

Result<StatusArguments> parse_status(Parser& parser) {
    StatusArguments out;
    TRY(parser.space());
    TRY_ASSIGN(out.mailbox, parser.astring());
    TRY(parser.space());
    TRY(parser.expect('('));
    do {
        TRY_ASSIGN(const StatusItem item, parse_status_item(parser));
        out.items.push_back(item);
        if (out.items.size() > kMaxStatusItems) return bad("Too many STATUS items");
    } while (parser.eat(' '));
    TRY(parser.expect(')'));
    return out;
}

Result<AppendArguments> parse_append(Parser& parser) {
    AppendArguments out;
    TRY(parser.space());
    TRY_ASSIGN(out.mailbox, parser.astring());
    TRY(parser.space());
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
    // What remains is the mark of the message's literal.
    CommandReader::Literal literal;
    std::string_view mark = parser.rest();
    if (mark.ends_with("\r\n")) mark.remove_suffix(2);
    if (mark.find('{') != 0 || mark.find('}') != mark.size() - 1 ||
        !announces_literal(mark, literal)) {
        return bad("APPEND needs a message as a literal");
    }
    return out;
}

Result<ExpungeArguments> parse_uid_expunge(Parser& parser) {
    ExpungeArguments out;
    TRY(parser.space());
    TRY_ASSIGN(out.uids, parser.sequence_set());
    return out;
}

Result<SearchArguments> parse_search(Parser& parser) {
    SearchArguments out;
    TRY(parser.space());
    if (istarts_with(parser.rest(), "CHARSET ")) {
        TRY(parser.word());
        TRY(parser.space());
        TRY_ASSIGN(out.charset, parser.astring());
        TRY(parser.space());
    }
    TRY_ASSIGN(out.key, parse_search_keys(parser));
    return out;
}

Result<FetchArguments> parse_fetch(Parser& parser) {
    FetchArguments out;
    TRY(parser.space());
    TRY_ASSIGN(out.set, parser.sequence_set());
    TRY(parser.space());
    TRY_ASSIGN(out.items, parse_fetch_items(parser));
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

Result<StoreArguments> parse_store(Parser& parser) {
    StoreArguments out;
    TRY(parser.space());
    TRY_ASSIGN(out.set, parser.sequence_set());
    TRY(parser.space());
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
           verb == Verb::search || verb == Verb::move || verb == Verb::expunge;
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
        case Verb::examine:
        case Verb::create:
        case Verb::delete_:
        case Verb::subscribe:
        case Verb::unsubscribe: return take(command, parse_mailbox(parser));
        case Verb::rename: return take(command, parse_rename(parser));
        case Verb::list:
        case Verb::lsub: return take(command, parse_list(parser));
        case Verb::status: return take(command, parse_status(parser));
        case Verb::append: return take(command, parse_append(parser));
        case Verb::search: return take(command, parse_search(parser));
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
    return verb == Verb::login || verb == Verb::authenticate || verb == Verb::starttls;
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
    if (command.verb != Verb::append) TRY(parser.end());
    return command;
}

bool is_append_with_message(std::string_view text) {
    Parser parser(text);
    if (!parser.tag() || !parser.space()) return false;
    const auto word = parser.word();
    return word && iequals(*word, "APPEND") && parse_append(parser);
}

}  // namespace postern::imap
