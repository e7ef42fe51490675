// SEARCH, SORT, THREAD and their answers: RFC 3501 7.2.5, ESEARCH (RFC 4731), SEARCHRES (RFC 5182),
// MODSEQ (RFC 7162 3.1.5), ESORT and UPDATE (RFC 5267), PARTIAL (RFC 9394), RELEVANCY (RFC 6203),
// several mailboxes (RFC 7377), IMAP4rev2 (RFC 9051 6.4.4), where every answer to SEARCH is an
// ESEARCH.
#include <algorithm>
#include <functional>

#include "imapd/search.h"
#include "imapd/session.h"
#include "imapd/sort.h"
#include "lib/base/strings.h"
#include "lib/imap/response.h"
#include "lib/log/log.h"
#include "lib/mail/casemap.h"

namespace postern::imapd {
namespace {

using Seqs = std::vector<std::uint32_t>;

// A search that reads so many messages for their text, and takes some milliseconds, has them
// indexed.
constexpr std::uint32_t kWorthIndexing = 50;

Reply unknown_charset() {  // RFC 3501 6.4.4
    return Reply::no("[BADCHARSET (UTF-8 US-ASCII)] Unknown charset");
}

// RFC 4731 3.2: of the messages that the answer names
std::uint64_t modseq_of(const mailbox::View& view, const Seqs& found,
                        const imap::ReturnOptions& options) {
    const auto of = [&](std::uint32_t seq) { return view.message(seq).modseq; };
    if (options.given && !options.all && !options.count && !options.partial) {
        if (options.min && options.max) return std::max(of(found.front()), of(found.back()));
        if (options.min) return of(found.front());
        if (options.max) return of(found.back());
    }
    std::uint64_t highest = 0;
    for (const std::uint32_t seq : found) highest = std::max(highest, of(seq));
    return highest;
}

Seqs window_of(const Seqs& found, const imap::PartialRange& partial) {
    const auto window = partial.window(found.size());
    return {found.begin() + static_cast<std::ptrdiff_t>(window.begin),
            found.begin() + static_cast<std::ptrdiff_t>(window.end)};
}

// RFC 5182 2.4, RFC 9394 3.2: what SAVE keeps: all, unless only the first, the last or a part is
// asked for.
Seqs saved_of(const Seqs& found, const imap::ReturnOptions& options) {
    if (found.empty() || options.all || options.count ||
        !(options.min || options.max || options.partial))
        return found;
    Seqs out;
    if (options.partial) out = window_of(found, *options.partial);
    if (options.min) out.push_back(found.front());
    if (options.max) out.push_back(found.back());
    return out;
}

std::string numbers_in(const mailbox::View& view, const Seqs& seqs, bool uid) {
    if (!uid) return imap::format_set(seqs);
    std::vector<std::uint32_t> uids;
    uids.reserve(seqs.size());
    for (const std::uint32_t seq : seqs) uids.push_back(view.message(seq).uid);
    return imap::format_set(uids);
}

// RFC 4731 3.1, from the first item on: " MIN 2 COUNT 3"
std::string results_of(const mailbox::View& view, bool uid, const imap::ReturnOptions& options,
                       const Seqs& found, bool with_modseq, const Relevancies* scores) {
    const auto number = [&](std::uint32_t seq) {
        return std::to_string(uid ? view.message(seq).uid : seq);
    };
    std::string line;
    // nothing is said of messages when there are none
    if (options.min && !found.empty()) line += " MIN " + number(found.front());
    if (options.max && !found.empty()) line += " MAX " + number(found.back());
    if (options.count) line += " COUNT " + std::to_string(found.size());
    if (options.all && !found.empty()) line += " ALL " + numbers_in(view, found, uid);
    if (options.partial) {
        const Seqs part = window_of(found, *options.partial);
        line += cat({" PARTIAL (", options.partial->str(), " ",
                     part.empty() ? "NIL" : numbers_in(view, part, uid), ")"});
    }
    if (with_modseq && !found.empty())
        line += " MODSEQ " + std::to_string(modseq_of(view, found, options));
    if (options.relevancy && scores != nullptr && !found.empty()) {  // RFC 6203 4
        std::vector<std::string> words;
        for (const std::uint32_t seq : options.partial ? window_of(found, *options.partial) : found)
            words.push_back(std::to_string(scores->at(seq)));
        line += " RELEVANCY ";
        imap::append_list(line, words);
    }
    return line;
}

bool orders_by_relevancy(const std::vector<imap::SortKey>& order) {
    return std::any_of(order.begin(), order.end(), [](const imap::SortKey& key) {
        return key.kind == imap::SortKey::Kind::relevancy;
    });
}

// RFC 9585 4: a client whose command takes long is told how far it is.
class Progress {
  public:
    Progress(Output& out, std::string_view tag, Millis interval)
        : out_(out), tag_(tag), interval_(interval), next_(Deadline::in(interval)) {}

    void operator()(std::size_t done, std::size_t all) {
        if (!next_.passed()) return;
        next_ = Deadline::in(interval_);
        std::string tag = "NIL";  // where it would end the code
        if (tag_.find(']') == std::string_view::npos) {
            tag.clear();
            imap::append_string(tag, tag_);
        }
        out_.write(cat({"* OK [INPROGRESS (", tag, " ", std::to_string(done), " ",
                        std::to_string(all), ")] Still at work\r\n"}));
        out_.flush();
    }

  private:
    Output& out_;
    std::string_view tag_;
    Millis interval_;
    Deadline next_;
};

}  // namespace

// The keys with "$" resolved: once for each command, before SAVE empties it.
imap::SearchKey Session::converted(const imap::SearchArguments& arguments) const {
    imap::SearchKey key = arguments.key;
    imap::replace_saved_result(key, saved_ranges());
    return key;
}

// Nobody waits for the answer of a session that ends.
SearchProgress Session::progress_of(const std::string& tag) {
    return [this, progress = Progress(out_, tag, options_.progress_interval)](
               std::size_t done, std::size_t all) mutable {
        progress(done, all);
        return !out_.failed() && !connection_.stopped();
    };
}

// The messages that match. Nothing: the charset is not known.
Result<std::optional<Seqs>> Session::find(const imap::Command& command,
                                          const imap::SearchArguments& arguments,
                                          imap::SearchKey key, bool& with_modseq,
                                          const Seqs* among) {
    if (arguments.options.save) selected_->saved_result.clear();  // RFC 5182 2.1: also on failure
    if (!imap::convert_texts(key, arguments.charset)) return std::optional<Seqs>();
    with_modseq = imap::has_key(key, imap::SearchKey::Kind::modseq);
    if (with_modseq) enable_condstore();
    const SearchProgress progress = progress_of(command.tag);
    TextIndex index = text_index(selected_->mailbox, *selected_->view, key);
    TRY_ASSIGN(Seqs found, imapd::search(*selected_->view, selected_->source, std::move(key),
                                         {among, &progress, &index}));
    extend_index(selected_->mailbox, index);
    tell_of_casemap();
    return std::optional(std::move(found));
}

// Nothing where nobody asks for them.
Result<std::optional<Relevancies>> Session::scores_of(const imap::SearchArguments& arguments,
                                                      imap::SearchKey key,
                                                      const std::vector<imap::SortKey>& order,
                                                      const Seqs& found) {
    if (!arguments.options.relevancy && !orders_by_relevancy(order))
        return std::optional<Relevancies>();
    TRY(imap::convert_texts(key, arguments.charset));
    TextIndex index = text_index(selected_->mailbox, *selected_->view, key);
    TRY_ASSIGN(Relevancies scores,
               relevancies(*selected_->view, selected_->source, key, found, &index));
    return std::optional(std::move(scores));
}

// The index of a folder, for a key that needs it. Without one, messages are read.
TextIndex Session::text_index(const mailbox::Mailbox& mailbox, const mailbox::View& view,
                              const imap::SearchKey& key) const {
    using Kind = imap::SearchKey::Kind;
    TextIndex out;
    if (options_.indexer == nullptr || !may_have_text_index(mailbox)) return out;
    if (!imap::has_key(key, Kind::body) && !imap::has_key(key, Kind::text)) return out;
    auto index =
        fulltext::Index::open(text_index_folder(mailbox, view.uid_validity()), view.uid_validity());
    if (!index) log::warning(options_.trace, index.error().what);
    if (!index || !*index) return out;
    out.index = *std::move(index);
    out.covered = out.index->covered();
    return out;
}

void Session::extend_index(const mailbox::Mailbox& mailbox, const TextIndex& index) const {
    if (index.unindexed >= kWorthIndexing && options_.indexer != nullptr &&
        may_have_text_index(mailbox))
        options_.indexer->begin(mailbox);
}

// RFC 5255 4.3 wants i;unicode-casemap, which needs ICU. Told once.
void Session::tell_of_casemap() {
    const std::string trouble = casemap_told_ ? "" : mail::casemap_trouble();
    if (trouble.empty()) return;
    casemap_told_ = true;
    log::warning(options_.trace, "SEARCH and SORT know the case of few alphabets: " + trouble);
}

void Session::save_result(Seqs found, const imap::ReturnOptions& options) {
    if (!options.save) return;
    auto& saved = selected_->saved_result;
    for (const std::uint32_t seq : saved_of(found, options))
        saved.push_back(selected_->view->message(seq).uid);
    std::sort(saved.begin(), saved.end());  // after SORT
    saved.erase(std::unique(saved.begin(), saved.end()), saved.end());
}

namespace {

using MailboxFilters = std::vector<imap::MailboxFilter>;

// RFC 7377 2.2: the selected mailbox is meant, and no other.
bool is_of_selected(const MailboxFilters& filters) {
    return std::all_of(filters.begin(), filters.end(), [](const imap::MailboxFilter& filter) {
        return filter.kind == imap::MailboxFilter::Kind::selected;
    });
}

bool names_selected(const MailboxFilters& filters, imap::MailboxFilter::Kind kind) {
    return std::any_of(filters.begin(), filters.end(),
                       [&](const imap::MailboxFilter& filter) { return filter.kind == kind; });
}

}  // namespace

// What is wrong with a search in this session, before it is made.
std::optional<Reply> Session::refuse_search(const imap::Command& command,
                                            const imap::SearchArguments& arguments,
                                            bool by_relevancy) const {
    if (enabled_.utf8 && !arguments.charset.empty())  // RFC 6855 3
        return Reply::bad("CHARSET is not for clients that enabled UTF8=ACCEPT");
    if (enabled_.uid_only && imap::has_numbers(arguments.key)) return uid_required();
    if ((arguments.options.relevancy || by_relevancy) &&
        !imap::has_key(arguments.key, imap::SearchKey::Kind::fuzzy))
        return Reply::bad("RELEVANCY needs FUZZY");  // RFC 6203 4
    if (arguments.options.update && selected_ && selected_->contexts &&
        selected_->contexts->has(command.tag))
        return Reply::bad("A search with this tag goes on already");  // RFC 5267 4.3
    return std::nullopt;
}

// RFC 7377 2.2: which options need the selected mailbox, and which that it is the only one.
std::optional<Reply> Session::refuse_esearch(const imap::EsearchArguments& arguments) const {
    using Kind = imap::MailboxFilter::Kind;
    const auto& options = arguments.search.options;
    const bool here = is_of_selected(arguments.filters);
    if (names_selected(arguments.filters, Kind::selected_delayed))
        return Reply::bad("selected-delayed is for NOTIFY");
    if (!here && (options.save || imap::has_saved_result(arguments.search.key)))
        return Reply::bad("Only with a search of the selected mailbox alone");
    const bool needs_selection =
        here || options.update || names_selected(arguments.filters, Kind::selected);
    if (needs_selection && !selected_) return Reply::bad("No mailbox selected.");
    return std::nullopt;
}

Reply Session::search(const imap::Command& command) {
    const auto& arguments = std::get<imap::SearchArguments>(command.arguments);
    if (auto refusal = refuse_search(command, arguments)) return *refusal;
    bool with_modseq = false;
    Cut cut;
    const imap::SearchKey key = converted(arguments);
    const std::optional<Seqs> newest = search_limit(key, cut);
    auto found = find(command, arguments, key, with_modseq, newest ? &*newest : nullptr);
    if (!found) return failed(found.error());
    if (!*found) return unknown_charset();
    auto scores = scores_of(arguments, key, {}, **found);
    if (!scores) return failed(scores.error());
    if (cut && arguments.options.update)  // what is found is not all that there is to follow
        refuse_updates(command, "The search is over too many messages");
    else if (auto done = follow(command, arguments, key, {}, **found); !done)
        return failed(done.error());
    save_result(**found, arguments.options);
    imap::ReturnOptions options = arguments.options;
    if (!options.given) options.all = true;  // RFC 9051 6.4.4
    if (options.given || enabled_.rev2)
        write_esearch(command, options, **found, with_modseq, *scores ? &**scores : nullptr);
    else
        write_numbers("SEARCH", command.uid, **found, with_modseq);
    return with_cut(Reply::ok("Search completed."), cut);
}

Reply Session::sort(const imap::Command& command) {
    const auto& arguments = std::get<imap::SortArguments>(command.arguments);
    if (auto refusal =
            refuse_search(command, arguments.search, orders_by_relevancy(arguments.keys)))
        return *refusal;
    if (auto refusal = too_many_to_arrange(arguments.search)) return *refusal;
    bool with_modseq = false;
    const imap::SearchKey key = converted(arguments.search);
    auto found = find(command, arguments.search, key, with_modseq);
    if (!found) return failed(found.error());
    if (!*found) return unknown_charset();
    auto scores = scores_of(arguments.search, key, arguments.keys, **found);
    if (!scores) return failed(scores.error());
    const Relevancies* known = *scores ? &**scores : nullptr;
    auto sorted =
        sort_messages(*selected_->view, selected_->source, **found, arguments.keys, known);
    if (!sorted) return failed(sorted.error());
    if (auto done = follow(command, arguments.search, key, arguments.keys, *sorted); !done)
        return failed(done.error());
    save_result(*sorted, arguments.search.options);
    if (arguments.search.options.given)
        write_esearch(command, arguments.search.options, *sorted, with_modseq, known);
    else
        write_numbers("SORT", command.uid, *sorted, with_modseq);
    return Reply::ok("Sort completed.");
}

// RFC 4466 2.6.2; RFC 7377 2.1 for the command ESEARCH: of which mailbox its responses are.
std::string Session::correlator_of(const imap::Command& command, const std::string& name,
                                   const mailbox::View& view) const {
    std::string out = "TAG ";
    imap::append_string(out, command.tag);
    if (command.verb != imap::Verb::esearch) return out;
    out += " MAILBOX ";
    imap::append_mailbox_name(out, shown_name(name));
    return cat({out, " UIDVALIDITY ", std::to_string(view.uid_validity())});
}

// RFC 5267 4.3: from now on the client is told what changes in the result.
Result<void> Session::follow(const imap::Command& command, const imap::SearchArguments& arguments,
                             imap::SearchKey key, const std::vector<imap::SortKey>& order,
                             const Seqs& found) {
    if (!arguments.options.update) return {};
    const mailbox::View& view = *selected_->view;
    if (!selected_->contexts) selected_->contexts = std::make_unique<SearchContexts>(view);
    SearchContext context;
    context.tag = command.tag;
    context.correlator = correlator_of(command, selected_->name, view);
    context.uid = command.uid || command.verb == imap::Verb::esearch;
    context.new_items = arguments.options.update_items;
    context.key = std::move(key);
    TRY(imap::convert_texts(context.key, arguments.charset));
    fix_numbers(context.key, view);
    context.order = order;
    for (const std::uint32_t seq : found) context.found.push_back(view.message(seq).uid);
    if (!selected_->contexts->add(std::move(context)))
        refuse_updates(command, "Too many searches go on");
    return {};
}

// RFC 5267 4.3.1: the search is made all the same
void Session::refuse_updates(const imap::Command& command, std::string_view why) {
    std::string tag;
    imap::append_string(tag, command.tag);
    out_.write(cat({"* NO [NOUPDATE ", tag, "] ", why, "\r\n"}));
}

Reply Session::cancel_updates(const imap::CancelUpdateArguments& arguments) {
    if (!selected_ || !selected_->contexts) return Reply::ok("No search goes on.");
    for (const std::string& tag : arguments.tags) selected_->contexts->cancel(tag);
    if (selected_->contexts->empty()) selected_->contexts.reset();
    return Reply::ok("Cancelupdate completed.");
}

Reply Session::thread(const imap::Command& command) {
    const auto& arguments = std::get<imap::ThreadArguments>(command.arguments);
    if (auto refusal = refuse_search(command, arguments.search)) return *refusal;
    if (auto refusal = too_many_to_arrange(arguments.search)) return *refusal;
    bool with_modseq = false;
    const imap::SearchKey key = converted(arguments.search);
    auto found = find(command, arguments.search, key, with_modseq);
    if (!found) return failed(found.error());
    if (!*found) return unknown_charset();
    auto facts = thread_facts(*selected_->view, selected_->source, **found, command.uid);
    if (!facts) return failed(facts.error());
    const std::string threads = imap::thread_messages(arguments.algorithm, *std::move(facts));
    out_.write(cat({"* THREAD", threads.empty() ? "" : " ", threads, "\r\n"}));
    return Reply::ok("Thread completed.");
}

// "* SEARCH 2 5 (MODSEQ 7)"
void Session::write_numbers(std::string_view verb, bool uid, const Seqs& found, bool with_modseq) {
    const mailbox::View& view = *selected_->view;
    std::string line = cat({"* ", verb});
    for (const std::uint32_t seq : found)
        line += ' ' + std::to_string(uid ? view.message(seq).uid : seq);
    if (with_modseq && !found.empty())
        line += cat({" (MODSEQ ", std::to_string(modseq_of(view, found, {})), ")"});
    out_.write(line + "\r\n");
}

void Session::write_esearch(const imap::Command& command, const imap::ReturnOptions& options,
                            const Seqs& found, bool with_modseq, const Relevancies* scores) {
    if (options.save && !options.says_something() && !options.update) return;  // RFC 5182 2.1
    const std::string correlator = correlator_of(command, selected_->name, *selected_->view);
    out_.write(cat({"* ESEARCH (", correlator, command.uid ? ") UID" : ")",
                    results_of(*selected_->view, command.uid, options, found, with_modseq, scores),
                    "\r\n"}));
}

// --- Several mailboxes, RFC 7377

// Each once, INBOX first. Those that are named and do not exist are passed over.
Result<std::vector<std::string>> Session::filtered_names(
    const std::vector<imap::MailboxFilter>& filters) const {
    using Kind = imap::MailboxFilter::Kind;
    TRY_ASSIGN(const auto folders, store_.folders());
    TRY_ASSIGN(const auto subscribed, store_.subscriptions());
    std::vector<std::string> out;
    for (const auto& folder : folders) {
        const bool is_subscribed =
            std::binary_search(subscribed.begin(), subscribed.end(), folder.name);
        const bool is_selected = selected_ && selected_->name == folder.name;
        const bool wanted =
            std::any_of(filters.begin(), filters.end(), [&](const imap::MailboxFilter& filter) {
                if (filter.kind == Kind::selected || filter.kind == Kind::selected_delayed)
                    return is_selected;
                return (filter.kind != Kind::personal || store_.is_personal(folder.name)) &&
                       filter.covers(names_.full(folder.name), is_subscribed, mailbox::kSeparator);
            });
        if (wanted && folder.selectable) out.push_back(folder.name);
    }
    return out;
}

// The ESEARCH response about one mailbox; empty when nothing was found.
Result<std::string> Session::search_elsewhere(const imap::Command& command, const std::string& name,
                                              const imap::SearchKey& key) {
    const auto& options = std::get<imap::EsearchArguments>(command.arguments).search.options;
    const bool here = selected_ && selected_->name == name;
    TRY_ASSIGN(const mailbox::Mailbox box, store_.mailbox(name));
    std::unique_ptr<mailbox::View> other;
    if (!here) {
        TRY_ASSIGN(other, box.open(mailbox::Access::read_only));
    }
    mailbox::View& view = here ? *selected_->view : *other;
    MessageSource source(view);
    const SearchProgress progress = progress_of(command.tag);
    TextIndex index = text_index(box, view, key);
    TRY_ASSIGN(const Seqs found, imapd::search(view, source, key, {nullptr, &progress, &index}));
    extend_index(box, index);
    tell_of_unreadable(source);
    if (here)
        TRY(follow(command, std::get<imap::EsearchArguments>(command.arguments).search, key, {},
                   found));
    if (here) save_result(found, options);
    if (found.empty() || (options.save && !options.says_something())) return std::string();
    Relevancies scores;
    if (options.relevancy) {
        TRY_ASSIGN(scores, relevancies(view, source, key, found, &index));
    }
    imap::ReturnOptions what = options;
    if (!what.given) what.all = true;
    const bool with_modseq = imap::has_key(key, imap::SearchKey::Kind::modseq);
    return cat({"* ESEARCH (", correlator_of(command, name, view), ") UID",
                results_of(view, true, what, found, with_modseq, &scores), "\r\n"});
}

Reply Session::esearch(const imap::Command& command) {
    const auto& arguments = std::get<imap::EsearchArguments>(command.arguments);
    const auto& options = arguments.search.options;
    if (auto refusal = refuse_search(command, arguments.search)) return *refusal;
    if (auto refusal = refuse_esearch(arguments)) return *refusal;
    imap::SearchKey key = selected_ ? converted(arguments.search) : arguments.search.key;
    if (options.save) selected_->saved_result.clear();  // RFC 5182 2.1: also on failure
    if (!imap::convert_texts(key, arguments.search.charset)) return unknown_charset();
    auto filters = arguments.filters;
    if (filters.empty()) filters.push_back({imap::MailboxFilter::Kind::selected, {}});
    const auto names = filtered_names(filters);
    if (!names) return failed(names.error());
    // RFC 7377 2.2: updates are of the selected mailbox, which may not be among those searched
    if (options.update && std::find(names->begin(), names->end(), selected_->name) == names->end())
        refuse_updates(command, "The selected mailbox is not searched");
    for (const std::string& name : *names) {
        if (lacks("r", name)) continue;  // RFC 7377 2.1
        const auto line = search_elsewhere(command, name, key);
        // RFC 7377 2.1: one that is gone meanwhile is no failure of the command
        if (!line && line.error().code != Errc::not_found) return failed(line.error());
        if (line) out_.write(*line);
    }
    return Reply::ok("Esearch completed.");
}

std::vector<imap::Range> Session::saved_ranges() const {
    return imap::to_ranges(selected_->saved_result);
}

}  // namespace postern::imapd
