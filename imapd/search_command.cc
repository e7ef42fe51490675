// SEARCH and its answers: RFC 3501 7.2.5, ESEARCH (RFC 4731), SEARCHRES (RFC 5182), MODSEQ (RFC
// 7162 3.1.5), IMAP4rev2 (RFC 9051 6.4.4), where every answer is an ESEARCH.
#include <algorithm>

#include "imapd/search.h"
#include "imapd/session.h"
#include "lib/base/strings.h"
#include "lib/imap/response.h"

namespace postern::imapd {
namespace {

using Seqs = std::vector<std::uint32_t>;

// RFC 4731 3.2: of the messages that the answer names
std::uint64_t modseq_of(const mailbox::View& view, const Seqs& found,
                        const imap::ReturnOptions& options) {
    const auto of = [&](std::uint32_t seq) { return view.message(seq).modseq; };
    if (options.given && !options.all && !options.count) {
        if (options.min && options.max) return std::max(of(found.front()), of(found.back()));
        if (options.min) return of(found.front());
        if (options.max) return of(found.back());
    }
    std::uint64_t highest = 0;
    for (const std::uint32_t seq : found) highest = std::max(highest, of(seq));
    return highest;
}

// RFC 5182 2.4: what SAVE keeps: all, unless only the first or the last is asked for
Seqs saved_of(const Seqs& found, const imap::ReturnOptions& options) {
    if (found.empty() || options.all || options.count || !(options.min || options.max))
        return found;
    Seqs out;
    if (options.min) out.push_back(found.front());
    if (options.max && (out.empty() || found.back() != out.front())) out.push_back(found.back());
    return out;
}

}  // namespace

Reply Session::search(const imap::Command& command) {
    const auto& arguments = std::get<imap::SearchArguments>(command.arguments);
    mailbox::View& view = *selected_->view;
    imap::SearchKey key = arguments.key;
    imap::replace_saved_result(key, saved_ranges());
    if (arguments.options.save) selected_->saved_result.clear();  // RFC 5182 2.1: also on failure
    if (auto converted = imap::convert_texts(key, arguments.charset); !converted) {
        return Reply::no("[BADCHARSET (UTF-8 US-ASCII)] Unknown charset");  // RFC 3501 6.4.4
    }
    const bool with_modseq = imap::has_key(key, imap::SearchKey::Kind::modseq);
    if (with_modseq) enable_condstore();
    auto found = imapd::search(view, selected_->source, std::move(key));
    if (!found) return failed(found.error());
    if (arguments.options.save) {
        for (const std::uint32_t seq : saved_of(*found, arguments.options))
            selected_->saved_result.push_back(view.message(seq).uid);
    }
    if (arguments.options.given || enabled_.rev2)
        write_esearch(command, *found, with_modseq);
    else
        write_search(command, *found, with_modseq);
    return Reply::ok("Search completed.");
}

void Session::write_search(const imap::Command& command, const Seqs& found, bool with_modseq) {
    const mailbox::View& view = *selected_->view;
    std::string line = "* SEARCH";
    for (const std::uint32_t seq : found)
        line += ' ' + std::to_string(command.uid ? view.message(seq).uid : seq);
    if (with_modseq && !found.empty())
        line += cat({" (MODSEQ ", std::to_string(modseq_of(view, found, {})), ")"});
    out_.write(line + "\r\n");
}

void Session::write_esearch(const imap::Command& command, const Seqs& found, bool with_modseq) {
    imap::ReturnOptions options = std::get<imap::SearchArguments>(command.arguments).options;
    if (!options.given) options.all = true;  // RFC 9051 6.4.4
    if (options.save && !(options.min || options.max || options.all || options.count)) return;
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
    if (with_modseq && !found.empty())
        line += " MODSEQ " + std::to_string(modseq_of(*selected_->view, found, options));
    out_.write(line + "\r\n");
}

std::vector<imap::Range> Session::saved_ranges() const {
    return imap::to_ranges(selected_->saved_result);
}

}  // namespace postern::imapd
