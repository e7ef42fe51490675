#include "cleanup/transaction.h"

#include <algorithm>

#include "lib/base/strings.h"
#include "lib/base/unicode.h"
#include "lib/log/log.h"
#include "lib/queue/directories.h"
#include "lib/queue/received.h"
#include "lib/sys/file.h"

#include "cleanup/envelope.h"
#include "cleanup/header_addresses.h"

namespace postern::cleanup {
namespace {

// Addresses end up in commands to other servers: a line end within one would begin a command.
bool is_clean(std::string_view text) { return std::none_of(text.begin(), text.end(), is_control); }

bool is_clean(const ipc::SubmitRecipient& r) {
    return is_clean(r.address) && is_clean(r.original) && is_clean(r.orcpt);
}

// Any trouble of ours means "try later", RFC 5321 4.2.1.
Verdict to_verdict(const Error& error) {
    if (error.code == Errc::no_space)
        return Verdict::defer("4.3.1", "Error: insufficient system storage");
    return Verdict::defer("4.3.0", "Error: queue file write error");
}

}  // namespace

Transaction::Transaction(Tools& tools, Submitter& submitter, Trust trust,
                         std::shared_ptr<Milters> milters)
    : tools_(tools), submitter_(submitter), trust_(trust), milters_(std::move(milters)) {}

Transaction::~Transaction() {
    hold_memory(0);
    drop_file();
}

void Transaction::drop_file() {
    if (!file_made_) return;
    file_.reset();
    (void)tools_.fs.unlink(queue::path_of(queue::Directory::incoming, envelope_.id));
    file_made_ = false;
}

void Transaction::hold_memory(std::size_t bytes) {
    tools_.memory_in_use += bytes - held_;
    held_ = bytes;
}

// --- the conversation

void Transaction::on_packet(const ipc::Packet& packet) {
    const Error unexpected{Errc::invalid, "message out of order"};
    if (state_ != State::receiving || promised_) return submitter_.broken(unexpected);
    if (packet.type() == ipc::Type::submit_recipients) {
        auto message = packet.as<ipc::SubmitRecipients>();
        if (!message) return submitter_.broken(message.error());
        if (!add_recipients(std::move(message->recipients))) submitter_.broken(unexpected);
    } else if (packet.type() == ipc::Type::submit_end) {
        const auto message = packet.as<ipc::SubmitEnd>();
        if (!message) return submitter_.broken(message.error());
        promised_ = message->size;
        open_.actions.insert(open_.actions.end(), message->actions.begin(), message->actions.end());
        maybe_complete();
    } else {
        submitter_.broken(unexpected);
    }
}

void Transaction::open(ipc::SubmitOpen message) {
    if (trust_ == Trust::network_only && message.origin != ipc::Origin::smtp)
        return submitter_.broken({Errc::denied, "a network service submits as somebody else"});
    if (!is_clean(message.sender) || !is_clean(message.envid))
        return submitter_.broken({Errc::invalid, "control character in an address"});
    open_ = std::move(message);
    envelope_ = envelope_of(open_);
    envelope_.id = open_.queue_id.empty() ? QueueId::make(tools_.clock, tools_.random)
                                          : open_.queue_id;
    if (envelope_.arrival == WallTime{}) envelope_.arrival = tools_.clock.now();
    state_ = State::receiving;
    std::vector<ipc::SubmitRecipient> first = std::move(open_.recipients);
    if (!add_recipients(std::move(first)))
        return submitter_.broken({Errc::invalid, "impossible recipients"});
    trouble_ = room_for(open_.size_hint);
    const auto delimits = [this](char c) {
        return tools_.options.verp_filter.find(c) != std::string::npos;
    };
    const bool verp = !open_.verp.empty();
    if (verp && (open_.verp.size() != 2 || open_.sender.empty() ||
                 !std::all_of(open_.verp.begin(), open_.verp.end(), delimits)))
        trouble_ =
            Verdict::reject("5.5.4", cat({"Error: VERP needs a sender and two characters from ",
                                          tools_.options.verp_filter}));
    if (open_.has_milters && (!milters_ || !milters_->in_message()))
        trouble_ = Verdict::defer("4.7.1", "Service unavailable - try again later");
    if (!open_.has_milters) milters_ = nullptr;
    if (open_.origin == ipc::Origin::local && !open_.no_milters && tools_.milters)
        if (const auto settings = tools_.milters->of_local_mail())
            milters_ = std::make_shared<Milters>(tools_.loop, settings);
    if (open_.whole) return take_whole();
    if (!open_.has_milters || trouble_) return say_opened();
    milters_->data(envelope_.id.str(), [weak = weak_from_this()](const milter::Outcome& outcome) {
        const auto self = weak.lock();
        if (!self || self->state_ != State::receiving) return;
        outcome.proceeds() ? self->say_opened() : self->refuse(outcome, "DATA");
    });
}

void Transaction::take_whole() {
    const std::string content = std::exchange(open_.content, {});
    promised_ = content.size();
    take_content(content);
}

void Transaction::say_opened() {
    if (!open_.queue_id.empty()) return;  // the submitter knows it
    const Result<void> sent = submitter_.opened({envelope_.id}, open_.session.str());
    if (!sent) submitter_.broken(sent.error());
}

std::optional<Verdict> Transaction::room_for(std::uint64_t size_hint) const {
    const std::uint64_t limit = tools_.options.message_size_limit;
    const std::uint64_t need = std::max(tools_.options.queue_minfree, size_hint);
    const std::uint64_t available = tools_.space.bytes().value_or(need);
    if (available < need) return Verdict::defer("4.3.1", "Error: insufficient system storage");
    if (limit != 0 && size_hint > limit)
        return Verdict::reject("5.3.4", "Error: message file too big");
    return std::nullopt;
}

bool Transaction::add_recipients(std::vector<ipc::SubmitRecipient> recipients) {
    if (recipients_.size() + recipients.size() > tools_.options.recipient_limit) return false;
    for (ipc::SubmitRecipient& r : recipients) {
        if (!is_clean(r)) return false;
        if (!r.address.empty()) recipients_.push_back(std::move(r));
    }
    return true;
}

// --- the content

void Transaction::content_ended() {
    content_ended_ = true;
    maybe_complete();
}

void Transaction::content_failed(const Error& error) {
    fail(error);
    content_ended();
}

void Transaction::take_content(std::string_view bytes) {
    if (state_ != State::receiving)
        return submitter_.broken({Errc::invalid, "more content than announced"});
    received_ += bytes.size();
    keep_content(bytes);
    maybe_complete();
}

void Transaction::keep_content(std::string_view bytes) {
    if (trouble_) return;  // read to the end, so that the submitter hears the answer
    if (filter_) return feed_filter(bytes);
    text_ += bytes;
    hold_memory(text_.size());
    if (milters_ && tools_.memory_in_use > tools_.options.memory_for_milters)
        return fail({Errc::no_space, "too many messages wait for milters"});
    if (spilling_ || !must_spill()) return;
    // On the next turn: packets with recipients that were sent before these bytes are read first.
    spilling_ = true;
    tools_.loop.post([weak = weak_from_this()] {
        if (const auto self = weak.lock(); self && self->state_ == State::receiving) self->spill();
    });
}

bool Transaction::must_spill() const {
    if (milters_) return false;  // they change it, and are asked when it is whole
    const Options& o = tools_.options;
    if (text_.size() > o.memory_per_message) return true;
    return text_.size() > o.memory_when_full && tools_.memory_in_use > o.memory_in_all;
}

void Transaction::spill() {
    if (trouble_ || filter_) return;
    auto file = queue::StreamWriter::create(
        tools_.fs, queue::path_of(queue::Directory::incoming, envelope_.id));
    if (!file) return fail(file.error());
    file_.emplace(std::move(*file));
    (void)sys::try_lock(file_->fd(), sys::LockKind::exclusive);  // until it is synced, see FileSync
    file_made_ = true;
    std::string raw;
    raw.swap(text_);
    start_filter();
    feed_filter(raw);
}

void Transaction::start_filter() {
    const Options& o = tools_.options;
    const std::string date = queue::mail_date(envelope_.arrival);
    const std::string_view only =
        recipients_.size() == 1 ? std::string_view(recipients_[0].address) : std::string_view();
    const bool local = is_local();
    filter_.emplace(o,
                    FilterTask{.received = prepended_fields() +
                                           queue::received_field(open_, {o.myhostname, o.mail_name},
                                                                 envelope_.id, only, date),
                               .local = local,
                               .completion = local                 ? &o.completion
                                             : o.remote_completion ? &*o.remote_completion
                                                                   : nullptr,
                               .date = date,
                               .message_id = cat({"<", queue::compact_date(envelope_.arrival), ".",
                                                  envelope_.id.str(), "@", o.myhostname, ">"}),
                               .from = author(open_, o),
                               .external = is_checked(),
                               .smtputf8 = open_.smtputf8,
                               .find_utf8 = finds_utf8()},
                    is_checked() ? tools_.rules : nullptr);
}

// Whether the header is one that we may complete, as the client is ours.
bool Transaction::is_local() const {
    return open_.origin != ipc::Origin::smtp || open_.rewrite_headers;
}

// Mail from outside: what our own programs send (bounces, forwarded mail) has been checked before.
bool Transaction::is_external() const { return open_.origin != ipc::Origin::internal; }

bool Transaction::is_checked() const {
    if (open_.no_header_body_checks) return false;
    if (is_external()) return true;
    const Options& o = tools_.options;
    const bool notice = open_.sender.starts_with(o.double_bounce_sender + "@");
    return (o.check_bounces && open_.sender.empty()) || (o.check_notices && notice);
}

// Where the message comes from, in the words of smtputf8_autodetect_classes.
std::string_view Transaction::utf8_class() const {
    if (open_.origin == ipc::Origin::smtp) return "smtpd";
    if (open_.origin == ipc::Origin::local) return "sendmail";
    if (open_.probe == ipc::Probe::cache) return "verify";
    if (open_.sender.empty()) return "bounce";
    return open_.sender.starts_with(tools_.options.double_bounce_sender + "@") ? "notify"
                                                                               : "forward";
}

bool Transaction::detects_utf8() const {
    const auto& classes = tools_.options.utf8_classes;
    return std::any_of(classes.begin(), classes.end(), [this](const std::string& one) {
        return iequals(one, "all") || iequals(one, utf8_class());
    });
}

// RFC 6531 3.6: whether the message can do without SMTPUTF8 is found out once, here.
void Transaction::note_utf8() {
    if (!finds_utf8()) return;
    const auto is_utf8_address = [](const std::string& address) {
        return !is_ascii(address) && is_utf8(address);
    };
    const bool in_header = filter_->effects().utf8_header;
    const bool needed =
        in_header || is_utf8_address(envelope_.sender) ||
        std::any_of(envelope_.recipients.begin(), envelope_.recipients.end(),
                    [&](const queue::Recipient& r) { return is_utf8_address(r.address); });
    if (needed && detects_utf8()) envelope_.flags |= queue::kSmtpUtf8;
    if (in_header && envelope_.has(queue::kSmtpUtf8)) envelope_.flags |= queue::kUtf8Header;
}

// One line for each rule that had something to say, in Postfix's shape.
void Transaction::tell_notes() {
    for (const auto& note : std::exchange(filter_->effects().notes, {})) {
        std::string line = cat({note.what, " from "});
        line += open_.client_name.empty()
                    ? "local"
                    : cat({open_.client_name, "[", open_.client_address, "]"});
        line += cat({"; from=<", open_.sender, ">"});
        if (!recipients_.empty()) line += cat({" to=<", recipients_.back().address, ">"});
        if (!open_.protocol.empty()) line += cat({" proto=", open_.protocol});
        if (!open_.helo.empty()) line += cat({" helo=<", open_.helo, ">"});
        if (!note.text.empty()) line += cat({": ", note.text});
        told_refusal_ = told_refusal_ || note.what.starts_with("reject") ||
                        note.what.starts_with("milter-header-reject");
        log::info(envelope_.id.str(), printable(line, 1000), {log::kv("rule", note.rule)});
    }
}

// What access tables and policy services wanted, as far as no content rule wants something else.
void Transaction::note_actions(content::Effects& effects) const {
    using enum ipc::MailActionKind;
    for (const auto& action : open_.actions) {
        if (action.kind == hold) effects.hold = true;
        if (action.kind == discard) effects.discard = true;
        if (action.kind == filter && effects.filter.empty()) effects.filter = action.argument;
        if (action.kind == bcc) effects.bcc.push_back(action.argument);
        if (action.kind == redirect && effects.redirect.empty() && is_clean(action.argument))
            effects.redirect = action.argument;
    }
}

// Before our own Received:, as Postfix has it.
std::string Transaction::prepended_fields() const {
    std::string fields;
    for (const auto& action : open_.actions) {
        const bool fits =
            content::field_name_size(action.argument) > 0 && is_clean(action.argument);
        if (action.kind == ipc::MailActionKind::prepend && fits) fields += action.argument + "\r\n";
    }
    return fields;
}

void Transaction::obey_rules() {
    const content::Effects& effects = filter_->effects();
    if (effects.hold) envelope_.flags |= queue::kHold;
    const std::string& filter = effects.filter.empty() ? open_.content_filter : effects.filter;
    envelope_.set_attribute(queue::attribute::kContentFilter, filter);
    if (!effects.redirect.empty()) {
        ipc::SubmitRecipient to;
        to.address = effects.redirect;
        if (recipients_.size() == 1) to.original = recipients_[0].address;
        recipients_.assign(1, std::move(to));
    }
    first_bcc_ = recipients_.size();
    for (const std::string& address : effects.bcc) add_bcc(address);
    const bool copies = is_external() && open_.probe == ipc::Probe::none;
    if (copies && !open_.no_address_mappings && !tools_.options.always_bcc.empty())
        add_bcc(tools_.options.always_bcc);
}

// A copy is nobody's failure: no notification is ever sent about it.
void Transaction::add_bcc(const std::string& address) {
    if (recipients_.size() >= tools_.options.recipient_limit || !is_clean(address))
        return log::warning(envelope_.id.str(), cat({"no copy to <", printable(address, 200),
                                                     ">: too many recipients, or no address"}));
    ipc::SubmitRecipient copy;
    copy.address = address;
    copy.notify = ipc::kNotifyNever;
    recipients_.push_back(std::move(copy));
}

void Transaction::feed_filter(std::string_view bytes) {
    filter_->feed(bytes, text_);
    tell_notes();
    if (filter_->refusal()) {
        trouble_ = filter_->refusal();
        text_.clear();
    }
    write_spilled();
}

void Transaction::write_spilled() {
    if (file_ && !text_.empty() && header_rewritten()) {
        const Result<void> written = file_->append(text_);
        text_.clear();
        if (!written) fail(written.error());
    }
    hold_memory(text_.size());
}

// --- from content to queue file

void Transaction::maybe_complete() {
    if (!promised_ || !content_complete() || state_ != State::receiving) return;
    if (!trouble_ && *promised_ != received_)
        trouble_ = Verdict::defer("4.3.0", "Error: message content incomplete");
    else if (!trouble_ && recipients_.empty())
        trouble_ = Verdict::reject("5.1.0", "Error: no recipients specified");
    complete();
}

void Transaction::complete() {
    if (!trouble_ && !filter_) {
        std::string raw;
        raw.swap(text_);
        text_.reserve(raw.size() + 512);
        start_filter();
        feed_filter(raw);
    }
    if (!trouble_) {
        filter_->finish(text_);
        tell_notes();
        write_spilled();
        if (filter_->refusal()) trouble_ = filter_->refusal();
    }
    if (filter_)
        log::info(envelope_.id.str(),
                  cat({filter_->message_id_name(), "=",
                       filter_->message_id().empty() ? "<>" : filter_->message_id()}));
    if (trouble_) return answer(*trouble_);
    state_ = State::rewriting;
    if (header_rewritten()) header_done();
}

// --- what becomes of it

void Transaction::accept_text() {
    if (recipients_.empty()) {  // a milter has taken the last one away: nobody is to have it
        log::info(envelope_.id.str(), "no recipients are left: discarded");
        drop_file();
        return answer(Verdict::accept("2.0.0", "Ok"));
    }
    note_actions(filter_->effects());
    if (filter_->effects().discard) {
        drop_file();
        return answer(Verdict::accept("2.0.0", "Ok"));
    }
    if (tools_.options.detect_8bit && filter_->declares_8bit()) envelope_.flags |= queue::kBody8bit;
    if (tools_.options.tls_optional && filter_->tls_optional())
        envelope_.flags |= queue::kTlsOptional;
    if (filter_->is_seven_bit()) envelope_.flags &= ~queue::kBody8bit;
    obey_rules();
    if (!milters_ && filter_->has_dot_lines()) envelope_.flags |= queue::kHasDotLines;
    envelope_.set_attribute(queue::attribute::kMessageId, printable(filter_->message_id()));
    state_ = State::expanding;
    ask(open_.sender, ipc::AddressRole::sender, [this](const std::vector<std::string>& addresses) {
        envelope_.sender = addresses.front();
        expand_next();
    });
}

void Transaction::ask(const std::string& address, ipc::AddressRole role,
                      std::function<void(std::vector<std::string>)> use) {
    const Options& o = tools_.options;
    const auto& completion = o.completion;
    const bool tables =
        !open_.no_address_mappings &&
        (role == ipc::AddressRole::recipient ? o.ask_about_recipients : o.ask_about_senders);
    if (!tables && is_complete(address, completion)) return use({address});
    if (address.empty()) return use({address});
    tools_.rewrite.call<ipc::ExpandAnswer>(
        ipc::ExpandRequest{address, role, !open_.no_address_mappings}, kRewriteTimeout,
        [weak = weak_from_this(), use = std::move(use)](const Result<ipc::ExpandAnswer>& result) {
            const auto self = weak.lock();
            if (!self || self->state_ != State::expanding) return;
            if (!result || result->outcome == ipc::LookupOutcome::temporary ||
                result->addresses.empty()) {
                const std::string why = result ? result->text : result.error().what;
                log::warning(self->envelope_.id.str(), "address rewriting failed: " + why);
                return self->answer(Verdict::defer("4.3.0", "Error: address lookup failure"));
            }
            if (result->outcome == ipc::LookupOutcome::permanent)
                return self->answer(Verdict::reject(result->status, "Error: " + result->text));
            // Copies of copies are not made, nor copies of what our own programs send.
            if (self->is_external() && self->open_.probe == ipc::Probe::none &&
                self->next_recipient_ <= self->first_bcc_)
                for (const std::string& copy : result->bcc) self->add_bcc(copy);
            use(result->addresses);
        },
        envelope_.id.str());
}

void Transaction::expand_next() {
    // A loop where no question is needed: recipients may be many, and the stack is not for them.
    while (state_ == State::expanding && next_recipient_ < recipients_.size()) {
        const ipc::SubmitRecipient r = recipients_[next_recipient_++];  // the list may grow
        if (!tools_.options.ask_about_recipients &&
            is_complete(r.address, tools_.options.completion)) {
            expanded(r, {r.address});
            continue;
        }
        return ask(r.address, ipc::AddressRole::recipient,
                   [this, r](const std::vector<std::string>& addresses) {
                       expanded(r, addresses);
                       expand_next();
                   });
    }
    if (state_ == State::expanding) commit();
}

// For mailtrace; no log tool expects it.
void Transaction::tell_expansion(const std::string& from,
                                 const std::vector<std::string>& to) const {
    constexpr std::size_t kTold = 20;
    std::string text = cat({"address <", from, "> became"});
    for (std::size_t i = 0; i < std::min(to.size(), kTold); ++i)
        text += cat({i == 0 ? " <" : ", <", to[i], ">"});
    if (to.size() > kTold) text += cat({" and ", std::to_string(to.size() - kTold), " more"});
    log::story(envelope_.id.str(), text);
}

void Transaction::expanded(const ipc::SubmitRecipient& from,
                           const std::vector<std::string>& addresses) {
    if (envelope_.recipients.size() + addresses.size() > tools_.options.recipient_limit)
        return answer(
            Verdict::defer("4.5.3", "Error: too many recipients after address expansion"));
    if (log::records_kept() && (addresses.size() != 1 || !iequals(addresses[0], from.address)))
        tell_expansion(from.address, addresses);
    // RFC 3461 5.2.7: one other address takes over what was asked for; of several none can.
    const bool told = addresses.size() > 1 && (from.notify & ipc::kNotifySuccess) != 0;
    if (told && !open_.sender.empty())
        envelope_.expanded.push_back(recipient_of(from, from.address));
    for (const std::string& address : addresses) {
        queue::Recipient r = recipient_of(from, address);
        if (told) r.notify = queue::notify_of_members(r.notify);
        if (known_recipients_.size() < tools_.options.duplicate_filter_limit &&
            !known_recipients_.insert(identity(r)).second)
            continue;
        envelope_.recipients.push_back(std::move(r));
    }
}

void Transaction::commit() {
    state_ = State::committing;
    note_utf8();
    Finished message;
    if (file_) {
        auto fd = std::move(*file_).finish(envelope_);
        file_.reset();
        if (!fd) return fail(fd.error());
        message.file = std::move(*fd);
        message.envelope.id = envelope_.id;
        file_made_ = false;
    } else {
        message.envelope = std::move(envelope_);
        envelope_.id = message.envelope.id;
        message.text = std::move(text_);
    }
    message.submitter = &submitter_;
    message.done = [weak = weak_from_this()](const Result<QueueId>& file) {
        if (const auto self = weak.lock()) self->committed(file);
    };
    tools_.committer.commit(std::move(message));
}

void Transaction::committed(const Result<QueueId>& file) {
    if (!file) return fail(file.error());
    answer(Verdict::accept("2.0.0", "Ok"));
}

// --- answers

void Transaction::fail(const Error& error) {
    log::warning(envelope_.id.str(), "queue file write error: " + error.what);
    trouble_ = to_verdict(error);
    text_.clear();
    drop_file();
    // While content comes the answer waits for its end: a submitter that writes does not listen.
    if (state_ != State::receiving || content_complete()) answer(*trouble_);
}

void Transaction::answer(const Verdict& verdict) {
    if (state_ == State::answered) return;
    state_ = State::answered;
    hold_memory(0);
    if (!verdict.accepted()) {
        drop_file();
        if (!told_refusal_)
            log::info(envelope_.id.str(),
                      cat({verdict.deferred() ? "deferred: " : "reject: ", verdict.status, " ",
                           verdict.text, "; from=<", open_.sender, ">"}));
    }
    ipc::SubmitResult result;
    const bool soft = tools_.options.soft_bounce && !verdict.accepted() && !verdict.deferred();
    result.outcome = verdict.accepted()           ? ipc::Outcome::accept
                     : verdict.deferred() || soft ? ipc::Outcome::defer
                                                  : ipc::Outcome::reject;
    result.status = verdict.status;
    if (soft && !result.status.empty()) result.status[0] = '4';
    result.text = verdict.text;
    result.smtp_code = soft ? std::uint16_t{0} : reply_code_;
    result.queue_id = envelope_.id;
    submitter_.answered(result, open_.session.str());
}

}  // namespace postern::cleanup
