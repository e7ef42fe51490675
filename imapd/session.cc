#include "imapd/session.h"

#include <cerrno>

#include "imapd/resync.h"
#include "lib/base/strings.h"
#include "lib/imap/response.h"
#include "lib/log/log.h"

namespace postern::imapd {
namespace {

using imap::CommandReader;
using imap::Verb;

constexpr int kMaxBadCommands = 20;
constexpr Millis kQuiet{20};
constexpr std::size_t kMaxLiterals = 65536;  // of one command that is not an APPEND

std::string_view word_of(Reply::Kind kind) {
    switch (kind) {
        case Reply::Kind::ok: return "OK ";
        case Reply::Kind::no: return "NO ";
        case Reply::Kind::bad: break;
    }
    return "BAD ";
}

// RFC 3501 7.4.1: no EXPUNGE while numbers of the command may still be in the client's mind
mailbox::Expunges expunges_after(const imap::Command& command) {
    const bool holds =
        !command.uid && (command.verb == Verb::fetch || command.verb == Verb::store ||
                         command.verb == Verb::search || command.verb == Verb::sort ||
                         command.verb == Verb::thread);
    return holds ? mailbox::Expunges::hold : mailbox::Expunges::report;
}

bool needs_selection(Verb verb) {
    switch (verb) {
        case Verb::check:
        case Verb::close:
        case Verb::unselect:
        case Verb::expunge:
        case Verb::search:
        case Verb::sort:
        case Verb::thread:
        case Verb::fetch:
        case Verb::store:
        case Verb::copy:
        case Verb::move: return true;
        default: return false;
    }
}

bool changes_selection(Verb verb) {
    return verb == Verb::select || verb == Verb::examine || verb == Verb::close ||
           verb == Verb::unselect;
}

bool changes_names(Verb verb) {
    return verb == Verb::create || verb == Verb::delete_ || verb == Verb::rename ||
           verb == Verb::subscribe || verb == Verb::unsubscribe;
}

// Commands whose untagged responses are those of changes in the selected mailbox: also where the
// client wants to hear of no others (RFC 5465 3.1; NOTIFY itself is a NOOP, too).
bool answers_with_changes(Verb verb) {
    return verb == Verb::expunge || verb == Verb::move || verb == Verb::notify;
}

// Commands that take, or answer with, sequence numbers in their form without UID.
bool has_numbers(Verb verb) {
    return needs_selection(verb) && verb != Verb::check && verb != Verb::close &&
           verb != Verb::unselect && verb != Verb::expunge;
}

}  // namespace

Session::Session(Connection& connection, mailbox::Store& store, Options options)
    : connection_(connection),
      store_(store),
      options_(std::move(options)),
      names_(options_.names),
      out_(connection, options_.write_timeout),
      reader_({options_.max_line, kMaxLiterals}) {
    store_.set_person({options_.user, options_.groups});
    for (const mailbox::Namespace& space : store_.namespaces())
        names_.others.push_back(space.prefix);
}

std::string Session::run(std::string_view login_tag) {
    greet(login_tag);
    return serve_to_the_end();
}

std::string Session::resume(const SleepState& state) {
    connection_.count(state.bytes_in, state.bytes_out);
    if (!wake_up(state)) {
        out_.write("* BYE [UNAVAILABLE] Mailbox has changed too much meanwhile, connect again\r\n");
        out_.flush();
        // What the client has said is read: closing before would reset the connection, and might
        // take the BYE with it.
        if (auto input = connection_.input(Deadline::in(Millis{0})))
            connection_.consume(input->size());
        end("hibernated for too long");
    }
    return serve_to_the_end();
}

std::string Session::serve_to_the_end() {
    while (!over_ && !out_.failed()) serve();
    // RFC 3501 7.1.5; in the middle of a response, where the client takes nothing, it cannot be
    // said
    if (connection_.stopped() && !out_.failed() && !hibernates_)
        out_.write(cat({connection_.dismissed() ? "* BYE " : "* BYE [UNAVAILABLE] ",
                        connection_.stop_reason(), ".\r\n"}));
    out_.flush();
    return reason_.empty() ? "client takes no replies" : reason_;
}

void Session::greet(std::string_view login_tag) {
    const std::string_view state = login_tag.empty() ? "PREAUTH" : "OK";
    out_.write(cat({login_tag.empty() ? "*" : login_tag, " ", state, " [CAPABILITY ",
                    capabilities(options_), "] Logged in\r\n"}));
    out_.flush();
}

void Session::end(std::string reason) {
    over_ = true;
    if (reason_.empty()) reason_ = std::move(reason);
}

// One step: waits for input and takes the next event from it. Replies of pipelined commands go out
// together, when no input is left.
void Session::serve() {
    if (!connection_.has_input()) out_.flush();
    const Deadline silence = Deadline::in(options_.idle_timeout);
    if (!out_.failed()) tidy(-1, notifications_ ? Deadline::in(kTidyBetweenNews) : silence);
    if (notifications_) wait_and_tell(silence);
    if (over_) return;
    auto input = connection_.input(silence);
    if (!input) {
        if (input.error().code == Errc::timeout)
            out_.write("* BYE Disconnected for inactivity\r\n");
        return end(input.error().what);
    }
    std::string_view rest = *input;
    const auto event = reader_.feed(rest);
    connection_.consume(input->size() - rest.size());
    switch (event) {
        case CommandReader::Event::need_more: break;
        case CommandReader::Event::literal: on_literal(); break;
        case CommandReader::Event::complete: on_command(std::string(reader_.text())); break;
        case CommandReader::Event::too_long:
            finish_bad(imap::tag_or_star(reader_.text()), "Too long command line");
            break;
    }
}

// While the client says nothing, what the mailbox has put off is done. Not at once: a client that
// sends one command after the other is not made to wait. A failure costs nobody anything: the log
// has it all. `watch`: another descriptor that says that there is something better to do; it is
// asked at the beginning only, as what this does makes it speak, too. True: there may be more.
bool Session::tidy(int watch, const Deadline& enough) {
    if (!selected_ && !has_to_prepare()) return false;
    const Millis quiet = has_to_prepare() ? mailbox::kBeforePreparing : kQuiet;
    auto woken = connection_.wait(watch, Deadline::in(quiet));
    while (woken == Connection::Woken::nothing && !enough.passed()) {
        if (!tidy_some()) return false;
        woken = connection_.wait(-1, Deadline::in(Millis{0}));
    }
    return true;
}

// True: there is more.
bool Session::tidy_some() {
    if (selected_) {
        const auto more = selected_->view->tidy();
        if (!more) log::debug(options_.trace, more.error().what);
        if (more && *more) return true;
    }
    return prepare_some();
}

// What clients will ask of messages that this session has added, while the files are in memory.
bool Session::prepare_some() {
    if (!preparing_) {
        prepare_next();
    } else {
        const auto done = preparing_->go_on();
        if (!done) log::debug(options_.trace, done.error().what);
        if (!done || preparing_->is_over()) preparing_.reset();
    }
    return has_to_prepare();
}

void Session::prepare_next() {
    if (added_to_.empty()) return;
    const auto next = added_to_.extract(added_to_.begin());
    auto box = store_.mailbox(next.key());
    if (box)
        preparing_.emplace(*std::move(box), next.mapped());
    else
        log::debug(options_.trace, box.error().what);
}

void Session::note_added(const std::string& mailbox, const std::vector<mailbox::Uid>& uids) {
    constexpr std::size_t kMost = 100;
    const auto name = mailbox::Store::canonical(mailbox);
    if (name && store_.is_personal(*name) && !uids.empty() && added_to_.size() < kMost)
        added_to_.emplace(*name, uids.front());  // which stays
}

void Session::finish_work() {
    constexpr Millis kAfterSession{5000};
    const Deadline enough = Deadline::in(kAfterSession);
    if (has_to_prepare())
        static_cast<void>(sys::wait_ready(connection_.stop_fd(), sys::Ready::read,
                                          Deadline::in(mailbox::kBeforePreparing))
                              .has_value());
    while (!connection_.stopped() && !enough.passed() && prepare_some()) {
    }
}

void Session::on_literal() {
    const auto literal = reader_.literal();
    if (imap::is_append_with_message(reader_.text()))
        return append(std::string(reader_.text()), true);
    if (reader_.fits(literal)) {
        if (literal.waits) {
            out_.write("+ OK\r\n");
            out_.flush();
        }
        return reader_.keep_literal();
    }
    finish_bad(imap::tag_or_star(reader_.text()), "Too long argument");
    refuse_literal(literal);
}

// A client that sends it all the same (LITERAL+) is read to its end, unless that is far away.
void Session::refuse_literal(const imap::CommandReader::Literal& literal) {
    constexpr std::uint64_t kMaxDropped = 256 * 1024 * 1024;
    if (over_) return;
    if (literal.waits || literal.size <= kMaxDropped) return reader_.refuse_literal();
    out_.write("* BYE Too large literal\r\n");
    end("Too large literal");
}

void Session::on_command(std::string_view text) {
    auto command = imap::parse_command(text);
    if (!command) return finish_bad(imap::tag_or_star(text), command.error().what);
    if (!take_names(*command)) return finish_bad(command->tag, "Mailbox name is not UTF-8");
    bad_in_a_row_ = 0;
    if (command->verb == Verb::idle) return idle(command->tag);
    if (command->verb == Verb::append || command->verb == Verb::replace)  // RFC 4469: URLs only
        return append(std::string(text), false);
    Reply reply = dispatch(*command);
    const bool just_opened = command->verb == Verb::select || command->verb == Verb::examine;
    if (selected_ && reply.kind != Reply::Kind::bad && !just_opened) {
        if (!is_silent() || answers_with_changes(command->verb))
            synchronize(expunges_after(*command));
        else
            tell_held_modseq();
    }
    if (notifications_ && reply.kind == Reply::Kind::ok && changes_names(command->verb))
        pass_over_own_change(*command);
    const bool expunges = command->verb == Verb::expunge || command->verb == Verb::move;
    if (expunges && selected_ && reply.kind == Reply::Kind::ok) tell_modseq_after_expunge(reply);
    if (notifications_ && changes_selection(command->verb)) follow_selection();
    finish(command->tag, reply);
    if (command->verb == Verb::compress && reply.kind == Reply::Kind::ok) begin_compression();
}

// RFC 7162 3.2.7, RFC 6851 4.4: with the number of the last change, after all are told. An answer
// has one code (RFC 9051 7.1).
void Session::tell_modseq_after_expunge(Reply& reply) {
    if (!enabled_.qresync) return;
    const std::string code = highest_modseq_code(selected_->told_modseq());
    if (reply.text.starts_with('['))
        out_.write(cat({"* OK ", code, "Highest\r\n"}));
    else
        reply.text = cat({code, reply.text});
}

Reply Session::dispatch(const imap::Command& command) {
    const auto mailbox = [&] { return std::get<imap::MailboxArgument>(command.arguments).mailbox; };
    if (needs_selection(command.verb)) return dispatch_selected(command);
    switch (command.verb) {
        case Verb::capability:
            out_.write(cat({"* CAPABILITY ", capabilities(options_), "\r\n"}));
            return Reply::ok("Capability completed.");
        case Verb::noop: return Reply::ok("NOOP completed.");
        case Verb::logout: return logout();
        case Verb::namespace_: return namespaces();
        case Verb::compress: return compress(std::get<imap::CompressArguments>(command.arguments));
        case Verb::getmetadata:
            return get_metadata(std::get<imap::GetMetadataArguments>(command.arguments));
        case Verb::setmetadata:
            return set_metadata(std::get<imap::SetMetadataArguments>(command.arguments));
        case Verb::getquotaroot: return get_quota_root(mailbox());
        case Verb::getquota:
            return get_quota(std::get<imap::QuotaArguments>(command.arguments).root);
        case Verb::esearch: return esearch(command);
        case Verb::cancelupdate:
            return cancel_updates(std::get<imap::CancelUpdateArguments>(command.arguments));
        case Verb::setacl: return set_acl(std::get<imap::AclArguments>(command.arguments));
        case Verb::deleteacl: return delete_acl(std::get<imap::AclArguments>(command.arguments));
        case Verb::getacl: return get_acl(std::get<imap::AclArguments>(command.arguments).mailbox);
        case Verb::listrights: return list_rights(std::get<imap::AclArguments>(command.arguments));
        case Verb::myrights:
            return my_rights(std::get<imap::AclArguments>(command.arguments).mailbox);
        case Verb::notify: return notify(std::get<imap::NotifyArguments>(command.arguments));
        case Verb::genurlauth:
            return generate_urls(std::get<imap::GenUrlAuthArguments>(command.arguments));
        case Verb::resetkey:
            return reset_keys(std::get<imap::ResetKeyArguments>(command.arguments));
        case Verb::urlfetch:
            return fetch_urls(std::get<imap::UrlFetchArguments>(command.arguments));
        case Verb::setquota:
            return Reply::no("[NOPERM] Quota is set by the administrator");  // RFC 9208 4.1.3
        case Verb::enable: return enable(std::get<imap::EnableArguments>(command.arguments));
        case Verb::id:
            out_.write("* ID (\"name\" \"Postern\")\r\n");
            return Reply::ok("ID completed.");
        case Verb::select:
        case Verb::examine:
            return select(std::get<imap::SelectArguments>(command.arguments),
                          command.verb == Verb::examine);
        case Verb::create: return create(std::get<imap::CreateArguments>(command.arguments));
        case Verb::delete_: return remove(mailbox());
        case Verb::rename: return rename(std::get<imap::RenameArguments>(command.arguments));
        case Verb::subscribe: return subscribe(mailbox());
        case Verb::unsubscribe: return unsubscribe(mailbox());
        case Verb::list: return list(std::get<imap::ListArguments>(command.arguments));
        case Verb::lsub: return lsub(std::get<imap::LsubArguments>(command.arguments));
        case Verb::status: return status(std::get<imap::StatusArguments>(command.arguments));
        case Verb::starttls:
        case Verb::authenticate:
        case Verb::login:
        default: return Reply::bad("Already logged in");
    }
}

Reply Session::dispatch_selected(const imap::Command& command) {
    if (!selected_) return Reply::bad("No mailbox selected.");
    if (!may_go_on()) return Reply::no("[NOPERM] The mailbox may not be read any more");
    if (enabled_.uid_only && !command.uid && has_numbers(command.verb)) return uid_required();
    switch (command.verb) {
        case Verb::check: return Reply::ok("Check completed.");
        case Verb::close: return close(true);
        case Verb::unselect: return close(false);
        case Verb::expunge: {
            const auto* arguments = std::get_if<imap::ExpungeArguments>(&command.arguments);
            return expunge(arguments == nullptr ? nullptr : &arguments->uids);
        }
        case Verb::search: return search(command);
        case Verb::sort: return sort(command);
        case Verb::thread: return thread(command);
        case Verb::fetch:
            return fetch(std::get<imap::FetchArguments>(command.arguments), command.uid);
        case Verb::store:
            return store(std::get<imap::StoreArguments>(command.arguments), command.uid);
        default:
            return copy(std::get<imap::CopyArguments>(command.arguments), command.uid,
                        command.verb == Verb::move);
    }
}

Reply Session::logout() {
    out_.write("* BYE Logging out\r\n");
    end("Logged out");
    return Reply::ok("Logout completed.");
}

Reply Session::namespaces() {
    // RFC 2342 5: one's own folders; then other users', then shared ones
    const std::string separator(1, names_.separator);
    const auto one = [&](const std::string& prefix) {
        std::string text;
        imap::append_string(text, prefix);
        return cat({"(", text, " \"", separator, "\")"});
    };
    const auto list = [&](bool of_users) {
        std::string all;
        for (const mailbox::Namespace& space : store_.namespaces())
            if (space.of_users == of_users) all += one(shown_name(space.prefix) + separator);
        return all.empty() ? "NIL" : cat({"(", all, ")"});
    };
    out_.write(cat(
        {"* NAMESPACE (", one(names_.shown_prefix()), ") ", list(true), " ", list(false), "\r\n"}));
    return Reply::ok("Namespace completed.");
}

// RFC 9051 7.1.2: a warning; what was asked of the other messages is done.
bool Session::tell_of_unreadable(MessageSource& source) {
    const auto unreadable = source.take_unreadable();
    if (!unreadable) return false;
    log::warning(options_.trace, unreadable->what);
    out_.write("* NO Messages that cannot be read are left out, the server's log has details\r\n");
    return true;
}

void Session::finish(std::string_view tag, const Reply& reply) {
    if (selected_) tell_of_unreadable(selected_->source);
    out_.write(cat({tag, " ", word_of(reply.kind), reply.text, "\r\n"}));
}

void Session::finish_bad(std::string_view tag, std::string_view text) {
    finish(tag, Reply::bad("Error in IMAP command: " + printable(text, 200, false)));
    if (++bad_in_a_row_ < kMaxBadCommands) return;
    out_.write("* BYE Too many invalid IMAP commands.\r\n");
    end("Too many invalid IMAP commands");
}

// Where names have a prefix, what is wrong may be that it is missing.
Reply Session::invalid_name(const Error& error) const {
    const std::string prefix = names_.shown_prefix();
    if (!prefix.empty())
        return Reply::no(
            cat({"[CANNOT] Invalid mailbox name; your own begin with \"", prefix, "\""}));
    // No client is told paths of ours.
    return Reply::no(error.sys == 0 ? cat({"[CANNOT] ", error.what})
                                    : "[CANNOT] Invalid mailbox name");
}

Reply Session::failed(const Error& error) const {
    if (error.sys == EDQUOT) {  // RFC 9208 4.3.1: no trouble of the server's
        log::info(options_.trace, error.what);
        return Reply::no("[OVERQUOTA] Quota exceeded");
    }
    if (error.sys == EROFS) {
        log::warning(options_.trace, error.what);
        return Reply::no("[UNAVAILABLE] The file system is read-only");
    }
    const bool is_refusal = error.code == Errc::invalid || error.code == Errc::denied;
    // By the modes of files, or the sandbox, where our rules allowed it: whoever wonders finds why.
    if (is_refusal && error.sys != 0) log::info(options_.trace, error.what);
    if (!is_refusal && error.code != Errc::not_found) log::warning(options_.trace, error.what);
    switch (error.code) {
        case Errc::not_found: return Reply::no("[NONEXISTENT] Mailbox doesn't exist");
        case Errc::invalid: return invalid_name(error);
        case Errc::denied: return Reply::no("[NOPERM] Permission denied");
        case Errc::no_space: return Reply::no("[OVERQUOTA] Not enough disk space");
        case Errc::closed: return Reply::no("[UNAVAILABLE] The session ends");
        default: break;
    }
    return Reply::no("[SERVERBUG] Internal error, the server's log has the details");
}

}  // namespace postern::imapd
