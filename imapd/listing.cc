#include "imapd/listing.h"

#include <algorithm>
#include <map>
#include <set>

#include "lib/base/strings.h"
#include "lib/imap/mailbox_name.h"
#include "lib/imap/response.h"

namespace postern::imapd {
namespace {

// RFC 6154: where no folder was made for a use, it is told from the names under which clients make
// these folders.
struct SpecialUse {
    std::string_view name, attribute;
};
constexpr SpecialUse kSpecialUses[] = {
    {"Archive", "\\Archive"},     {"Archives", "\\Archive"},
    {"Drafts", "\\Drafts"},       {"Junk", "\\Junk"},
    {"Spam", "\\Junk"},           {"Sent", "\\Sent"},
    {"Sent Messages", "\\Sent"},  {"Sent Items", "\\Sent"},
    {"Trash", "\\Trash"},         {"Deleted Messages", "\\Trash"},
    {"Deleted Items", "\\Trash"},
};

// The names above it, from the nearest on.
std::vector<std::string> names_above(const std::string& name, char separator) {
    std::vector<std::string> out;
    for (auto at = name.rfind(separator); at != std::string::npos && at > 0;
         at = name.rfind(separator, at - 1))
        out.push_back(name.substr(0, at));
    return out;
}

bool is_given(const mailbox::Store::SpecialUses& given, std::string_view use) {
    return std::any_of(given.begin(), given.end(), [use](const auto& folder) {
        return std::find(folder.second.begin(), folder.second.end(), use) != folder.second.end();
    });
}

class Lister {
  public:
    Lister(const Listing& listing, const imap::ListArguments& arguments)
        : listing_(listing), arguments_(arguments) {
        for (const std::string& pattern : arguments.patterns)
            patterns_.push_back(cat({arguments.reference, pattern}));
        for (const auto& folder : listing.folders)
            add(folder.name, folder.selectable ? Kind::real : Kind::parent);
        for (const std::string& name : listing.subscribed)
            if (arguments.select_subscribed)
                all_.try_emplace(shown(name), Entry{name, Kind::missing});
    }

    // INBOX, the other folders by name, and names that are only subscribed.
    std::vector<Listed> run() const {
        std::vector<Listed> out;
        if (const auto inbox = all_.find("INBOX"); inbox != all_.end())
            list(inbox->first, inbox->second, out);
        for (const bool missing : {false, true})
            for (const auto& [name, entry] : all_)
                if (name != "INBOX" && missing == (entry.kind == Kind::missing))
                    list(name, entry, out);
        return out;
    }

  private:
    // A level of a name that has no folder of its own; a name that is only subscribed.
    enum class Kind : unsigned char { real, parent, missing };
    struct Entry {
        std::string stored;  // empty for a level that is shown only
        Kind kind;
    };

    std::string shown(const std::string& stored) const {
        return listing_.names.shown(stored, listing_.utf8);
    }

    void add(const std::string& stored, Kind kind) {
        const std::string name = shown(stored);
        all_.insert_or_assign(name, Entry{stored, kind});
        for (const std::string& above : names_above(name, listing_.names.separator)) {
            parents_.insert(above);
            all_.try_emplace(above, Entry{{}, Kind::parent});
        }
    }

    bool matches_any(const std::string& name) const {
        const char separator = listing_.names.separator;
        return std::any_of(patterns_.begin(), patterns_.end(), [&](const std::string& pattern) {
            return imap::matches_pattern(name, pattern, separator);
        });
    }

    bool is_below(std::string_view name, std::string_view parent) const {
        return name.size() > parent.size() && name.starts_with(parent) &&
               name[parent.size()] == listing_.names.separator;
    }

    bool is_subscribed(const Entry& entry) const {
        return std::binary_search(listing_.subscribed.begin(), listing_.subscribed.end(),
                                  entry.stored);
    }

    std::vector<std::string> uses(const Entry& entry) const {
        return uses_of(listing_.special_uses, entry.stored);
    }

    bool is_selected(const Entry& entry) const {
        return (!arguments_.select_subscribed || is_subscribed(entry)) &&
               (!arguments_.select_special_use || !uses(entry).empty());
    }

    // RFC 5258 3.5: what CHILDINFO says. `beyond`: only for names that no pattern matches, which
    // the client would not see otherwise.
    bool has_selected_below(const std::string& name, bool beyond) const {
        for (auto at = all_.upper_bound(name); at != all_.end(); ++at) {
            if (!at->first.starts_with(name)) break;
            if (is_below(at->first, name) && is_selected(at->second) &&
                !(beyond && matches_any(at->first)))
                return true;
        }
        return false;
    }

    std::string attributes_of(const std::string& name, const Entry& entry) const {
        std::vector<std::string> out;
        const bool says_nonexistent = arguments_.extended || listing_.utf8;  // RFC 5258 3.3
        if (entry.kind != Kind::real) out.push_back(says_nonexistent ? "\\NonExistent" : "\\Noselect");
        out.push_back(parents_.contains(name) ? "\\HasChildren" : "\\HasNoChildren");  // RFC 3348
        if (arguments_.return_subscribed && is_subscribed(entry)) out.push_back("\\Subscribed");
        for (std::string& use : uses(entry)) out.push_back(std::move(use));
        return cat({"(", join(out, " "), ")"});
    }

    std::string child_info() const {
        std::vector<std::string> options;
        if (arguments_.select_subscribed) options.push_back("\"SUBSCRIBED\"");
        if (arguments_.select_special_use) options.push_back("\"SPECIAL-USE\"");
        return cat({" (\"CHILDINFO\" (", join(options, " "), "))"});
    }

    void list(const std::string& name, const Entry& entry, std::vector<Listed>& out) const {
        if (!matches_any(name)) return;
        const bool selected = is_selected(entry);
        const bool info = arguments_.recursive_match && has_selected_below(name, !selected);
        if (!selected && !info) return;
        out.push_back({name, attributes_of(name, entry), info ? child_info() : "",
                       entry.kind == Kind::real && selected, entry.stored});
    }

    const Listing& listing_;
    const imap::ListArguments& arguments_;
    std::vector<std::string> patterns_;
    std::map<std::string, Entry> all_;  // by the name that is shown
    std::set<std::string> parents_;     // names with others below them
};

}  // namespace

std::vector<Listed> list_folders(const Listing& listing, const imap::ListArguments& arguments) {
    return Lister(listing, arguments).run();
}

std::vector<Listed> list_subscriptions(const Listing& listing, std::string_view reference,
                                       std::string_view pattern) {
    const std::string whole = cat({reference, pattern});
    const bool ends_at_level = whole.ends_with('%');
    std::vector<std::string> names;
    for (const std::string& name : listing.subscribed)
        names.push_back(listing.names.shown(name, listing.utf8));
    std::sort(names.begin(), names.end());
    const char separator = listing.names.separator;
    const auto matches = [&](const std::string& name) {
        return imap::matches_pattern(name, whole, separator);
    };
    std::vector<Listed> out;
    std::set<std::string> parents;
    for (const std::string& name : names) {
        if (matches(name)) {
            out.push_back({name, "()", {}, false, {}});
            continue;
        }
        if (!ends_at_level) continue;
        const auto above = names_above(name, separator);
        const auto parent = std::find_if(above.begin(), above.end(), matches);
        if (parent != above.end() && !std::binary_search(names.begin(), names.end(), *parent))
            parents.insert(*parent);
    }
    for (const std::string& parent : parents)
        out.push_back({parent, "(\\Noselect)", {}, false, {}});
    return out;
}

std::string list_line(std::string_view verb, char separator, const Listed& listed) {
    std::string line =
        cat({"* ", verb, " ", listed.attributes, " \"", std::string(1, separator), "\" "});
    imap::append_mailbox_name(line, listed.name);
    return cat({line, listed.extended, "\r\n"});
}

std::vector<std::string> uses_of(const mailbox::Store::SpecialUses& given,
                                 const std::string& name) {
    if (const auto made = given.find(name); made != given.end()) return made->second;
    std::vector<std::string> out;
    for (const auto& use : kSpecialUses)
        if (iequals(use.name, name) && !is_given(given, use.attribute))
            out.emplace_back(use.attribute);
    return out;
}

std::optional<std::string> special_use_of(std::string_view attribute) {
    for (const std::string_view known :
         {"\\Archive", "\\Drafts", "\\Junk", "\\Sent", "\\Trash", "\\Important"}) {
        if (iequals(known, attribute)) return std::string(known);
    }
    return std::nullopt;
}

}  // namespace postern::imapd
