#include "lib/config/restriction_check.h"

#include <algorithm>
#include <set>

#include "lib/base/strings.h"

#include "lib/config/restrictions.h"
#include "lib/config/value.h"

namespace postern::config {
namespace {

constexpr std::string_view kLists[] = {"smtpd_client_restrictions",      "smtpd_helo_restrictions",
                                       "smtpd_sender_restrictions",      "smtpd_relay_restrictions",
                                       "smtpd_recipient_restrictions",   "smtpd_data_restrictions",
                                       "smtpd_end_of_data_restrictions", "smtpd_etrn_restrictions"};

// The lists of one smtpd: those of main.cf, or of a master.cf entry with its -o options.
class Lists {
  public:
    explicit Lists(const Settings& settings) : settings_(settings) {
        const auto names = split_list(text("smtpd_restriction_classes"));
        class_names_.insert(names.begin(), names.end());
        for (const auto& name : class_names_) classes_.emplace(name, parse(text(name)));
    }

    std::string text(std::string_view name) const {
        return settings_.expanded(name).value_or(std::string());  // what is wrong is told elsewhere
    }
    RestrictionItems list(std::string_view name) const { return parse(text(name)); }
    const std::set<std::string, std::less<>>& class_names() const { return class_names_; }
    bool defined(std::string_view name) const { return !trim(text(name)).empty(); }

    bool guarded() const {
        return stops_relaying(list("smtpd_relay_restrictions"), classes_) ||
               stops_relaying(list("smtpd_recipient_restrictions"), classes_);
    }

    // Does the class come back to itself?
    bool circular(std::string_view name) const {
        std::set<std::string, std::less<>> seen;
        return reaches(name, name, seen);
    }

  private:
    RestrictionItems parse(std::string_view list) const {
        return parse_restrictions(
            list, [this](std::string_view name) { return class_names_.contains(name); });
    }
    bool reaches(std::string_view from, std::string_view to,
                 std::set<std::string, std::less<>>& seen) const {
        const auto at = classes_.find(from);
        if (at == classes_.end()) return false;
        return std::any_of(at->second.begin(), at->second.end(), [&](const RestrictionItem& item) {
            if (item.check != Check::restriction_class) return false;
            if (item.name == to) return true;
            return seen.insert(item.name).second && reaches(item.name, to, seen);
        });
    }

    const Settings& settings_;
    std::set<std::string, std::less<>> class_names_;
    RestrictionClasses classes_;
};

class Examiner {
  public:
    explicit Examiner(const Snapshot& snapshot, const Host& host)
        : snapshot_(snapshot),
          master_file_(snapshot.directory + "/master.cf"),
          main_(snapshot.directory) {
        std::vector<Problem> told_elsewhere;
        main_.parse(snapshot.main_cf, told_elsewhere);
        main_.compute(host);
    }

    RestrictionReport run() {
        const Lists lists(main_);
        examine(lists, [](std::string_view) { return true; });
        std::vector<Problem> told_elsewhere;
        const auto master = MasterFile::parse(snapshot_.master_cf, master_file_, told_elsewhere);
        bool main_serves = false;
        for (const MasterEntry& entry : master.entries()) {
            if (entry.command != "smtpd") continue;
            main_serves = !examine_entry(entry, lists) || main_serves;
        }
        if (main_serves && !lists.guarded()) unguarded("smtpd_relay_restrictions");
        return std::move(report_);
    }

  private:
    // Whether the entry has relay restrictions of its own.
    bool examine_entry(const MasterEntry& entry, const Lists& main_lists) {
        Settings settings = main_;
        settings.set("service_name", entry.name);
        for (const auto& [name, text] : entry.overrides) settings.set(name, text);
        entry_ = &entry;
        const Lists lists(settings);
        const auto differs = [&](std::string_view name) {
            return lists.text(name) != main_lists.text(name);
        };
        examine(lists, differs);
        const bool own =
            differs("smtpd_relay_restrictions") || differs("smtpd_recipient_restrictions");
        if (own && !lists.guarded()) {
            unguarded(differs("smtpd_relay_restrictions") ? "smtpd_relay_restrictions"
                                                          : "smtpd_recipient_restrictions");
        }
        entry_ = nullptr;
        return own;
    }

    template <class Wanted>
    void examine(const Lists& lists, Wanted wanted) {
        for (const std::string_view name : kLists) {
            if (wanted(name)) examine_list(name, lists.list(name));
        }
        for (const auto& name : lists.class_names()) {
            if (!wanted(name) && !wanted("smtpd_restriction_classes")) continue;
            if (!lists.defined(name)) {
                tell("smtpd_restriction_classes", name,
                     cat({"restriction class \"", name, "\" needs a definition: ", name,
                          " = list of restrictions"}));
            } else if (lists.circular(name)) {
                tell(name, name, "this restriction class contains itself");
            }
            examine_list(name, lists.list(name));
        }
    }

    void examine_list(std::string_view parameter, const RestrictionItems& list) {
        bool reached = true, warns_only = false;
        for (std::size_t at = 0; at < list.size(); ++at) {
            const RestrictionItem& item = list[at];
            // What is never looked at does no harm.
            if (item.check == Check::mistake) tell(parameter, item.name, item.mistake, reached);
            add_table(parameter, item);
            if (reached && ends_list(item.check) && !warns_only && at + 1 < list.size()) {
                tell(parameter, list[at + 1].name,
                     cat({"restriction \"", list[at + 1].name, "\" after \"", item.name,
                          "\" is ignored"}),
                     false);
                reached = false;
            }
            warns_only = item.check == Check::warn_if_reject;
        }
    }

    void add_table(std::string_view parameter, const RestrictionItem& item) {
        const auto* word = find_restriction(item.name);
        const bool named =
            item.check != Check::mistake && word && word->argument == Argument::table;
        if (!named && item.check != Check::table) return;
        report_.tables.push_back({item.argument, problem(parameter, item.argument, "", true)});
    }

    void unguarded(std::string_view parameter) {
        tell(parameter, "",
             cat({"nothing here or in smtpd_recipient_restrictions stops relaying for strangers, "
                  "so all mail would be deferred: ",
                  kOpenRelayText}));
    }

    Problem problem(std::string_view parameter, std::string_view word, std::string text,
                    bool error) const {
        const auto set = main_.set_values().find(parameter);
        const bool own =
            entry_ != nullptr && std::any_of(entry_->overrides.begin(), entry_->overrides.end(),
                                             [&](auto& one) { return one.first == parameter; });
        if (entry_ != nullptr && (own || set == main_.set_values().end())) {
            const auto line = line_of_word(snapshot_.master_cf, entry_->line, word);
            return {master_file_, line, entry_->key(),
                    cat({own ? "-o " : "because of -o options: ", parameter, ": ", text}), error};
        }
        if (set == main_.set_values().end())
            return {main_.file(), 0, std::string(parameter), std::move(text), error};
        return {main_.file(), line_of_word(snapshot_.main_cf, set->second.line, word),
                std::string(parameter), std::move(text), error};
    }
    void tell(std::string_view parameter, std::string_view word, std::string text,
              bool error = true) {
        report_.problems.push_back(problem(parameter, word, std::move(text), error));
    }

    const Snapshot& snapshot_;
    const std::string master_file_;
    Settings main_;
    const MasterEntry* entry_ = nullptr;  // whose lists these are; null: main.cf's
    RestrictionReport report_;
};

}  // namespace

RestrictionReport examine_restrictions(const Snapshot& snapshot, const Host& host) {
    return Examiner(snapshot, host).run();
}

}  // namespace postern::config
