// SEARCH, SORT, THREAD and their answers: RFC 3501 7.2.5, ESEARCH (RFC 4731), SEARCHRES (RFC 5182),
// MODSEQ (RFC 7162 3.1.5), ESORT (RFC 5267), PARTIAL (RFC 9394), IMAP4rev2 (RFC 9051 6.4.4), where
// every answer to SEARCH is an ESEARCH.
#include <algorithm>

#include "imapd/search.h"
#include "imapd/session.h"
#include "imapd/sort.h"
#include "lib/base/strings.h"
#include "lib/imap/response.h"

namespace postern::imapd {
namespace {

using Seqs = std::vector<std::uint32_t>;

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

// RFC 5182 2.4: what SAVE keeps: all, unless only the first, the last or a part is asked for
Seqs saved_of(const Seqs& found, const imap::ReturnOptions& options) {
    if (options.partial && !options.count) return window_of(found, *options.partial);
    if (found.empty() || options.all || options.count || !(options.min || options.max))
        return found;
    Seqs out;
    if (options.min) out.push_back(found.front());
    if (options.max && (out.empty() || found.back() != out.front())) out.push_back(found.back());
    return out;
}

}  // namespace

// The messages that match. Nothing: the charset is not known.
Result<std::optional<Seqs>> Session::find(const imap::SearchArguments& arguments,
                                          bool& with_modseq) {
    imap::SearchKey key = arguments.key;
    imap::replace_saved_result(key, saved_ranges());
    if (arguments.options.save) selected_->saved_result.clear();  // RFC 5182 2.1: also on failure
    if (!imap::convert_texts(key, arguments.charset)) return std::optional<Seqs>();
    with_modseq = imap::has_key(key, imap::SearchKey::Kind::modseq);
    if (with_modseq) enable_condstore();
    TRY_ASSIGN(Seqs found, imapd::search(*selected_->view, selected_->source, std::move(key)));
    return std::optional(std::move(found));
}

void Session::save_result(Seqs found, const imap::ReturnOptions& options) {
    if (!options.save) return;
    auto& saved = selected_->saved_result;
    for (const std::uint32_t seq : saved_of(found, options))
        saved.push_back(selected_->view->message(seq).uid);
    std::sort(saved.begin(), saved.end());  // after SORT
}

Reply Session::search(const imap::Command& command) {
    const auto& arguments = std::get<imap::SearchArguments>(command.arguments);
    if (enabled_.utf8 && !arguments.charset.empty())  // RFC 6855 3
        return Reply::bad("CHARSET is not for clients that enabled UTF8=ACCEPT");
    bool with_modseq = false;
    auto found = find(arguments, with_modseq);
    if (!found) return failed(found.error());
    if (!*found) return unknown_charset();
    save_result(**found, arguments.options);
    imap::ReturnOptions options = arguments.options;
    if (!options.given) options.all = true;  // RFC 9051 6.4.4
    if (options.given || enabled_.rev2)
        write_esearch(command, options, **found, with_modseq);
    else
        write_numbers("SEARCH", command.uid, **found, with_modseq);
    return Reply::ok("Search completed.");
}

Reply Session::sort(const imap::Command& command) {
    const auto& arguments = std::get<imap::SortArguments>(command.arguments);
    bool with_modseq = false;
    auto found = find(arguments.search, with_modseq);
    if (!found) return failed(found.error());
    if (!*found) return unknown_charset();
    auto sorted = sort_messages(*selected_->view, selected_->source, **found, arguments.keys);
    if (!sorted) return failed(sorted.error());
    save_result(*sorted, arguments.search.options);
    if (arguments.search.options.given)
        write_esearch(command, arguments.search.options, *sorted, with_modseq);
    else
        write_numbers("SORT", command.uid, *sorted, with_modseq);
    return Reply::ok("Sort completed.");
}

Reply Session::thread(const imap::Command& command) {
    const auto& arguments = std::get<imap::ThreadArguments>(command.arguments);
    bool with_modseq = false;
    auto found = find(arguments.search, with_modseq);
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
                            const Seqs& found, bool with_modseq) {
    if (options.save && !options.says_something()) return;  // RFC 5182 2.1
    const auto number = [&](std::uint32_t seq) {
        return std::to_string(command.uid ? selected_->view->message(seq).uid : seq);
    };
    std::string line = "* ESEARCH (TAG ";
    imap::append_string(line, command.tag);
    line += command.uid ? ") UID" : ")";
    // RFC 4731 3.1: nothing is said of messages when there are none
    if (options.min && !found.empty()) line += " MIN " + number(found.front());
    if (options.max && !found.empty()) line += " MAX " + number(found.back());
    if (options.count) line += " COUNT " + std::to_string(found.size());
    if (options.all && !found.empty()) line += " ALL " + numbers_of(found, command.uid);
    if (options.partial) {
        const Seqs part = window_of(found, *options.partial);
        line += cat({" PARTIAL (", options.partial->str(), " ",
                     part.empty() ? "NIL" : numbers_of(part, command.uid), ")"});
    }
    if (with_modseq && !found.empty())
        line += " MODSEQ " + std::to_string(modseq_of(*selected_->view, found, options));
    out_.write(line + "\r\n");
}

std::vector<imap::Range> Session::saved_ranges() const {
    return imap::to_ranges(selected_->saved_result);
}

}  // namespace postern::imapd
