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

bool matches(std::string_view name, const std::string& pattern) {
    return imap::matches_pattern(name, pattern, mailbox::kSeparator);
}

bool is_below(std::string_view name, std::string_view parent) {
    return name.size() > parent.size() && name.starts_with(parent) &&
           name[parent.size()] == mailbox::kSeparator;
}

class Lister {
  public:
    Lister(const Listing& listing, const imap::ListArguments& arguments)
        : listing_(listing), arguments_(arguments) {
        for (const std::string& pattern : arguments.patterns)
            patterns_.push_back(cat({arguments.reference, pattern}));
        for (const auto& [name, uses] : listing.special_uses)
            for (const std::string& use : uses) taken_.insert(use);
        for (const auto& folder : listing.folders) {
            all_[folder.name] = folder.selectable ? Kind::real : Kind::parent;
            if (folder.has_children) parents_.insert(folder.name);
        }
        for (const std::string& name : listing.subscribed) {
            if (arguments.select_subscribed) all_.try_emplace(name, Kind::missing);
        }
    }

    std::vector<Listed> run() const {
        std::vector<Listed> out;
        for (const auto& folder : listing_.folders)
            if (auto listed = list(folder.name, all_.at(folder.name))) out.push_back(*listed);
        for (const auto& [name, kind] : all_) {
            if (kind != Kind::missing) continue;
            if (auto listed = list(name, kind)) out.push_back(*listed);
        }
        return out;
    }

  private:
    // A level of a name that has no folder of its own; a name that is only subscribed.
    enum class Kind : unsigned char { real, parent, missing };

    std::string shown(const std::string& name) const {
        return listing_.utf8 ? imap::decode_mailbox_name(name).value_or(name) : name;
    }

    bool matches_any(const std::string& name) const {
        const std::string text = shown(name);
        return std::any_of(patterns_.begin(), patterns_.end(),
                           [&](const std::string& pattern) { return matches(text, pattern); });
    }

    bool is_subscribed(const std::string& name) const {
        return std::binary_search(listing_.subscribed.begin(), listing_.subscribed.end(), name);
    }

    std::vector<std::string> uses_of(const std::string& name) const {
        const auto made = listing_.special_uses.find(name);
        if (made != listing_.special_uses.end()) return made->second;
        std::vector<std::string> out;
        for (const auto& use : kSpecialUses) {
            if (iequals(use.name, name) && !taken_.contains(use.attribute))
                out.emplace_back(use.attribute);
        }
        return out;
    }

    bool is_selected(const std::string& name) const {
        return (!arguments_.select_subscribed || is_subscribed(name)) &&
               (!arguments_.select_special_use || !uses_of(name).empty());
    }

    // RFC 5258 3.5: what CHILDINFO says. `beyond`: only for names that no pattern matches, which
    // the client would not see otherwise.
    bool has_selected_below(const std::string& name, bool beyond) const {
        for (auto at = all_.upper_bound(name); at != all_.end(); ++at) {
            if (!at->first.starts_with(name)) break;
            if (is_below(at->first, name) && is_selected(at->first) &&
                !(beyond && matches_any(at->first)))
                return true;
        }
        return false;
    }

    std::string attributes_of(const std::string& name, Kind kind) const {
        std::vector<std::string> out;
        const bool says_nonexistent = arguments_.extended || listing_.utf8;  // RFC 5258 3.3
        if (kind != Kind::real) out.push_back(says_nonexistent ? "\\NonExistent" : "\\Noselect");
        out.push_back(parents_.contains(name) ? "\\HasChildren" : "\\HasNoChildren");  // RFC 3348
        if (arguments_.return_subscribed && is_subscribed(name)) out.push_back("\\Subscribed");
        for (std::string& use : uses_of(name)) out.push_back(std::move(use));
        return cat({"(", join(out, " "), ")"});
    }

    std::string child_info() const {
        std::vector<std::string> options;
        if (arguments_.select_subscribed) options.push_back("\"SUBSCRIBED\"");
        if (arguments_.select_special_use) options.push_back("\"SPECIAL-USE\"");
        return cat({" (\"CHILDINFO\" (", join(options, " "), "))"});
    }

    std::optional<Listed> list(const std::string& name, Kind kind) const {
        if (!matches_any(name)) return std::nullopt;
        const bool selected = is_selected(name);
        const bool info = arguments_.recursive_match && has_selected_below(name, !selected);
        if (!selected && !info) return std::nullopt;
        return Listed{shown(name), attributes_of(name, kind), info ? child_info() : "",
                      kind == Kind::real, name};
    }

    const Listing& listing_;
    const imap::ListArguments& arguments_;
    std::vector<std::string> patterns_;
    std::map<std::string, Kind> all_;
    std::set<std::string> parents_;             // names with others below them
    std::set<std::string, std::less<>> taken_;  // uses for which there are folders
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
        names.push_back(listing.utf8 ? imap::decode_mailbox_name(name).value_or(name) : name);
    std::sort(names.begin(), names.end());
    std::vector<Listed> out;
    std::set<std::string> parents;
    for (const std::string& name : names) {
        if (matches(name, whole)) {
            out.push_back({name, "()", {}, false, {}});
            continue;
        }
        for (auto at = name.rfind(mailbox::kSeparator);
             ends_at_level && at != std::string::npos && at > 0;
             at = name.rfind(mailbox::kSeparator, at - 1)) {
            const std::string parent = name.substr(0, at);
            if (!matches(parent, whole)) continue;
            if (!std::binary_search(names.begin(), names.end(), parent)) parents.insert(parent);
            break;
        }
    }
    for (const std::string& parent : parents)
        out.push_back({parent, "(\\Noselect)", {}, false, {}});
    return out;
}

std::string list_line(std::string_view verb, const Listed& listed) {
    std::string line = cat(
        {"* ", verb, " ", listed.attributes, " \"", std::string(1, mailbox::kSeparator), "\" "});
    imap::append_mailbox_name(line, listed.name);
    return cat({line, listed.extended, "\r\n"});
}

std::optional<std::string> special_use_of(std::string_view attribute) {
    for (const std::string_view known :
         {"\\Archive", "\\Drafts", "\\Junk", "\\Sent", "\\Trash", "\\Important"}) {
        if (iequals(known, attribute)) return std::string(known);
    }
    return std::nullopt;
}

}  // namespace postern::imapd
