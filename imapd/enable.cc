// ENABLE (RFC 5161), what it switches on, and what the server can do.
#include <algorithm>
#include <functional>

#include "imapd/resync.h"
#include "imapd/session.h"
#include "lib/base/strings.h"

namespace postern::imapd {
namespace {

using NameUse = std::function<bool(std::string&)>;

// Calls `use` for each name of a mailbox in the arguments, `use_filter` for those of filters, which
// may mean mailboxes below; for no patterns. False as soon as one call is.
bool each_name(imap::Command& command, const NameUse& use, const NameUse& use_filter) {
    const auto in_filter = [&use_filter](imap::MailboxFilter& filter) {
        return std::all_of(filter.names.begin(), filter.names.end(), use_filter);
    };
    return std::visit(
        [&](auto& arguments) {
            if constexpr (requires { arguments.mailbox; }) return use(arguments.mailbox);
            if constexpr (requires { arguments.groups; })
                return std::all_of(arguments.groups.begin(), arguments.groups.end(),
                                   [&](auto& group) { return in_filter(group.filter); });
            if constexpr (requires { arguments.filters; })
                return std::all_of(arguments.filters.begin(), arguments.filters.end(), in_filter);
            if constexpr (requires { arguments.from; })
                return use(arguments.from) && use(arguments.to);
            return true;
        },
        command.arguments);
}

}  // namespace

std::string capabilities(const Options& options) {
    std::string out =
        "IMAP4rev1 IMAP4rev2 LITERAL+ IDLE UIDPLUS MOVE UNSELECT CHILDREN NAMESPACE ID ENABLE "
        "CONDSTORE QRESYNC ESEARCH SEARCHRES WITHIN STATUS=SIZE LIST-EXTENDED LIST-STATUS "
        "SPECIAL-USE CREATE-SPECIAL-USE OBJECTID SAVEDATE MULTIAPPEND BINARY "
        "SORT SORT=DISPLAY ESORT THREAD=ORDEREDSUBJECT THREAD=REFERENCES THREAD=REFS PARTIAL "
        "PREVIEW "
        "COMPRESS=DEFLATE METADATA LIST-METADATA REPLACE UTF8=ACCEPT CATENATE URLAUTH "
        "URLAUTH=BINARY CONTEXT=SEARCH CONTEXT=SORT MULTISEARCH SEARCH=FUZZY ACL RIGHTS=kxte "
        "LIST-MYRIGHTS NOTIFY UIDONLY "
        "INPROGRESS I18NLEVEL=1 "
        "QUOTA QUOTA=RES-STORAGE QUOTA=RES-MESSAGE";
    if (options.max_message != 0)
        out += " APPENDLIMIT=" + std::to_string(options.max_message);  // RFC 7889
    if (options.message_limit != 0)                                    // RFC 9738
        out += " MESSAGELIMIT=" + std::to_string(options.message_limit);
    if (options.save_limit != 0) out += " SAVELIMIT=" + std::to_string(options.save_limit);
    return out;
}

// RFC 5161 3.1: what is not known, or needs no enabling, is passed over
Reply Session::enable(const imap::EnableArguments& arguments) {
    std::string answer = "* ENABLED";
    for (const std::string& name : arguments.names) {
        if (iequals(name, "CONDSTORE")) {
            enable_condstore();
            answer += " CONDSTORE";
        } else if (iequals(name, "QRESYNC")) {
            enable_condstore();  // RFC 7162 3.2.3
            enabled_.qresync = true;
            answer += " QRESYNC";
        } else if (iequals(name, "IMAP4rev2")) {
            enabled_.rev2 = true;
            answer += " IMAP4rev2";
        } else if (iequals(name, "UIDONLY")) {
            enabled_.uid_only = true;
            answer += " UIDONLY";
        } else if (iequals(name, "UTF8=ACCEPT")) {
            enabled_.utf8 = true;
            answer += " UTF8=ACCEPT";
        }
    }
    out_.write(answer + "\r\n");
    return Reply::ok("Enable completed.");
}

Reply Session::compress(const imap::CompressArguments& arguments) const {
    if (!iequals(arguments.mechanism, "DEFLATE"))
        return Reply::no("[CANNOT] Unknown compression mechanism");
    if (connection_.is_compressed()) return Reply::no("[COMPRESSIONACTIVE] DEFLATE is active");
    return Reply::ok("DEFLATE active");
}

// RFC 4978 3: from the line end of the OK on
void Session::begin_compression() {
    out_.flush();
    if (auto begun = connection_.compress(); !begun) end(begun.error().what);
}

// RFC 7162 3.1.2: the client learns where it begins
void Session::enable_condstore() {
    if (enabled_.condstore) return;
    enabled_.condstore = true;
    if (selected_)
        out_.write(cat({"* OK ", highest_modseq_code(selected_->told_modseq()), "Highest\r\n"}));
}

bool Session::take_names(imap::Command& command) const {
    const auto taken = [](std::string& name, std::optional<std::string> as) {
        if (as) name = *std::move(as);
        return as.has_value();
    };
    const bool utf8 = enabled_.utf8_names();
    return each_name(
        command, [&](std::string& name) { return taken(name, names_.stored(name, utf8)); },
        [&](std::string& name) { return taken(name, names_.full_of_shown(name, utf8)); });
}

std::string Session::shown_name(const std::string& stored) const {
    return names_.shown(stored, enabled_.utf8_names());
}

}  // namespace postern::imapd
