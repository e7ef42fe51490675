// Session: one logged-in user's IMAP session, from the answer to LOGIN to LOGOUT (RFC 3501).
// Straight-line and blocking: a process serves one user. What the client sends can end this session
// only. session.cc reads and dispatches; selection.cc, folder_commands.cc, message_commands.cc,
// message_limit.cc, search_command.cc, append.cc, enable.cc and idle.cc hold the commands.
#pragma once

#include <algorithm>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "imapd/connection.h"
#include "imapd/contexts.h"
#include "imapd/fetch.h"
#include "imapd/folder_names.h"
#include "imapd/hibernation.h"
#include "imapd/indexer.h"
#include "imapd/message_source.h"
#include "imapd/message_urls.h"
#include "imapd/notify.h"
#include "imapd/search.h"
#include "lib/imap/command.h"
#include "lib/imap/command_reader.h"
#include "lib/mailbox/prepare_new.h"
#include "lib/mailbox/shared_dict.h"
#include "lib/mailbox/store.h"

namespace postern::imapd {

struct Options {
    Millis idle_timeout{30 * 60 * 1000};  // RFC 3501 5.4
    Millis write_timeout{5 * 60 * 1000};  // a client that takes too little
    Millis keepalive{2 * 60 * 1000};      // "* OK Still here" in IDLE
    Millis poll_interval{1000};           // IDLE where nothing can be watched
    Millis progress_interval{10'000};     // RFC 9585 4: between two words of it
    std::size_t max_line = 65536;
    std::uint64_t max_message = 0;                // APPEND; 0: no limit
    std::size_t message_limit = 0;                // RFC 9738, messages per command; 0: none
    std::size_t save_limit = 0;                   // the same of COPY and APPEND
    std::string trace;                            // session id, for the log
    std::string user;                             // who has logged in
    std::vector<std::string> groups;              // of the user, for access control lists
    FolderNames names;                            // without `others`, which the store knows
    const mailbox::SharedDict* shares = nullptr;  // who shares with whom; nullptr: nobody notes it
    Millis hibernate_after{0};                    // in IDLE; 0: never
    Sleeper* sleeper = nullptr;                   // who takes a session then
    Indexer* indexer = nullptr;  // who fills the full-text index; nullptr: there is none
};

// What the server can do, for CAPABILITY.
std::string capabilities(const Options& options);

// What the client has switched on: RFC 5161, and CONDSTORE by using it (RFC 7162 3.1).
struct Enabled {
    bool condstore = false;
    bool qresync = false;
    bool rev2 = false;      // RFC 9051
    bool utf8 = false;      // RFC 6855
    bool uid_only = false;  // RFC 9586
    bool utf8_names() const { return rev2 || utf8; }
};

// The completion of a command: "OK [CODE] text".
struct Reply {
    enum class Kind : unsigned char { ok, no, bad };
    Kind kind = Kind::ok;
    std::string text;

    static Reply ok(std::string_view text) { return {Kind::ok, std::string(text)}; }
    static Reply no(std::string_view text) { return {Kind::no, std::string(text)}; }
    static Reply bad(std::string_view text) { return {Kind::bad, std::string(text)}; }
};

// RFC 9586 3
inline Reply uid_required() {
    return Reply::bad("[UIDREQUIRED] Message numbers are not allowed once UIDONLY is enabled");
}

class Session {
  public:
    Session(Connection& connection, mailbox::Store& store, Options options);

    // Serves until the end and returns why it ended, for the log. `login_tag`: of the LOGIN or
    // AUTHENTICATE that is to be completed; empty: the session begins with PREAUTH.
    std::string run(std::string_view login_tag);
    // The same for a session that has hibernated in IDLE.
    std::string resume(const SleepState& state);
    bool hibernates() const { return hibernates_; }  // another process has the client
    // What can be done once the client is gone, for some seconds at most.
    void finish_work();

  private:
    struct Selected {
        std::string name;
        mailbox::Mailbox mailbox;
        std::unique_ptr<mailbox::View> view;
        MessageSource source;
        std::size_t announced_keywords = 0;        // how many the client has been told of
        std::vector<mailbox::Uid> saved_result;    // "$" of RFC 5182, ascending
        std::unique_ptr<SearchContexts> contexts;  // null: no search goes on
        // Messages of this client that it has not been told of: it knows what is in them.
        // Ascending.
        std::vector<mailbox::Uid> own_arrivals;
        void note_own(const std::vector<mailbox::Uid>& uids) {  // newer ones than those before
            own_arrivals.insert(own_arrivals.end(), uids.begin(), uids.end());
        }
        // RFC 7162 3.2: up to which the client was told of all changes. `withhold`: of this one it
        // is not told, as its NOTIFY does not ask for it.
        std::uint64_t told_modseq() const {
            return std::min(view->told_modseq(), first_withheld - 1);
        }
        void withhold(std::uint64_t modseq) { first_withheld = std::min(first_withheld, modseq); }
        std::uint64_t first_withheld = std::numeric_limits<std::uint64_t>::max();
        std::string rights{mailbox::kAllRights};  // of the user, RFC 4314
        bool may(char right) const { return mailbox::has_right(rights, right); }

        Selected(std::string canonical_name, mailbox::Mailbox where,
                 std::unique_ptr<mailbox::View> snapshot)
            : name(std::move(canonical_name)),
              mailbox(std::move(where)),
              view(std::move(snapshot)),
              source(*view) {}
    };

    // session.cc
    void greet(std::string_view login_tag);
    void serve();
    std::string serve_to_the_end();
    void on_literal();
    void refuse_literal(const imap::CommandReader::Literal& literal);
    void on_command(std::string_view text);
    Reply dispatch(const imap::Command& command);
    void tell_modseq_after_expunge(Reply& reply);
    Reply dispatch_selected(const imap::Command& command);
    Reply logout();
    Reply namespaces();
    void finish(std::string_view tag, const Reply& reply);
    bool tell_of_unreadable(MessageSource& source);
    void finish_bad(std::string_view tag, std::string_view text);
    static constexpr Millis kTidyBetweenNews{1000};  // where the client waits for news
    bool tidy(int watch, const Deadline& enough);
    bool tidy_some();
    bool has_to_prepare() const { return preparing_ || !added_to_.empty(); }
    bool prepare_some();
    void prepare_next();
    void note_added(const std::string& mailbox, const std::vector<mailbox::Uid>& uids);
    void end(std::string reason);
    // NO with a text for the client; the details go to the log.
    Reply failed(const Error& error) const;
    Reply invalid_name(const Error& error) const;

    // enable.cc
    Reply enable(const imap::EnableArguments& arguments);
    void enable_condstore();
    Reply compress(const imap::CompressArguments& arguments) const;
    void begin_compression();
    // Between the names that the client writes and those of the store.
    bool take_names(imap::Command& command) const;  // false: one is not UTF-8
    std::string shown_name(const std::string& stored) const;

    // selection.cc
    Reply select(const imap::SelectArguments& arguments, bool examine);
    void describe_selected();
    Result<void> resynchronize(const imap::Qresync& known);
    Reply close(bool expunges);
    void synchronize(mailbox::Expunges expunges, bool thorough = false);
    void announce(const mailbox::Changes& changes);
    void tell_held_modseq();
    void announce_flags();  // when there are some that the client does not know
    // "* 5 FETCH (UID 7 FLAGS (\\Seen) MODSEQ (12))": what of it, is as the client wants it
    void announce_fetch(std::uint32_t seq, bool uid, bool flags);
    FetchStyle style() const { return {enabled_.condstore, !enabled_.rev2, enabled_.uid_only}; }
    void tell_of_news(std::uint32_t added);
    bool is_silent() const;  // NOTIFY asks for nothing of the selected mailbox

    // folder_commands.cc
    Reply create(const imap::CreateArguments& arguments);
    Reply remove(const std::string& name);
    Reply rename(const imap::RenameArguments& arguments);
    Reply subscribe(const std::string& name);
    Reply unsubscribe(const std::string& name);
    Reply list(const imap::ListArguments& arguments);
    Reply lsub(const imap::LsubArguments& arguments);
    Reply status(const imap::StatusArguments& arguments);
    Result<std::string> status_line(const std::string& name,
                                    const std::vector<imap::StatusItem>& items);
    Reply get_metadata(const imap::GetMetadataArguments& arguments);
    Reply set_metadata(const imap::SetMetadataArguments& arguments);
    std::optional<Reply> refuse_uses(const std::string& name, std::string_view value) const;
    Reply give_uses(const std::string& name, const std::vector<std::string>& uses);
    void note_metadata_change(const std::string& name, bool of_others_and_private) const;
    std::optional<Reply> lacks_notes(const std::string& name) const;
    void pass_over_own_entries(const std::string& name,
                               const std::vector<mailbox::MetadataChange>& changes);
    void pass_over_own_use(const std::string& name);
    void write_listed_metadata(const std::string& name, imap::GetMetadataArguments arguments);
    // quota_commands.cc
    Reply get_quota(const std::string& name);
    Reply get_quota_root(const std::string& name);
    Result<std::string> quota_line(const mailbox::Store::QuotaRoot& root) const;
    std::string shown_root(const mailbox::Store::QuotaRoot& root) const;
    std::optional<mailbox::Store::QuotaRoot> quota_root_called(const std::string& name) const;

    void follow_rename(const std::string& from, const std::string& to);

    using Seqs = std::vector<std::uint32_t>;

    // message_limit.cc (RFC 9738)
    using Cut = std::optional<mailbox::Uid>;  // the oldest message left; nothing: all are
    Cut limit(Seqs& seqs) const;
    std::optional<Seqs> search_limit(const imap::SearchKey& key, Cut& cut) const;
    std::optional<Reply> too_many_to_save(std::size_t messages, const Seqs* seqs = nullptr) const;
    std::optional<Reply> too_many_to_answer(std::size_t messages) const;
    std::optional<Reply> too_many_to_arrange(const imap::SearchArguments& arguments) const;
    Reply with_cut(Reply reply, const Cut& cut);

    // message_commands.cc
    Result<Seqs> sequence_numbers(const imap::SequenceSet& set, bool uid) const;
    Reply fetch(imap::FetchArguments arguments, bool uid);
    Reply store(imap::StoreArguments arguments, bool uid);
    void announce_stored(const Seqs& seqs, const Seqs& refused, bool uid, bool silent);
    std::string numbers_of(const Seqs& seqs, bool uid) const;
    Reply copy(const imap::CopyArguments& arguments, bool uid, bool move);
    Reply expunge(const imap::SequenceSet* uids);
    Result<Cut> remove_deleted(const imap::SequenceSet* uids);
    std::string uids_of(const Seqs& seqs) const;

    // search_command.cc
    Reply search(const imap::Command& command);
    Reply sort(const imap::Command& command);
    Reply thread(const imap::Command& command);
    Reply esearch(const imap::Command& command);
    std::optional<Reply> refuse_search(const imap::Command& command,
                                       const imap::SearchArguments& arguments,
                                       bool by_relevancy = false) const;
    std::optional<Reply> refuse_esearch(const imap::EsearchArguments& arguments) const;
    std::string correlator_of(const imap::Command& command, const std::string& name,
                              const mailbox::View& view) const;
    Result<std::vector<std::string>> filtered_names(
        const std::vector<imap::MailboxFilter>& filters) const;
    Result<std::string> search_elsewhere(const imap::Command& command, const std::string& name,
                                         const imap::SearchKey& key);
    Result<void> follow(const imap::Command& command, const imap::SearchArguments& arguments,
                        imap::SearchKey key, const std::vector<imap::SortKey>& order,
                        const Seqs& found);
    void refuse_updates(const imap::Command& command, std::string_view why);
    Reply cancel_updates(const imap::CancelUpdateArguments& arguments);
    Result<std::optional<Seqs>> find(const imap::Command& command,
                                     const imap::SearchArguments& arguments,
                                     imap::SearchKey key, bool& with_modseq,
                                     const Seqs* among = nullptr);
    SearchProgress progress_of(const std::string& tag);
    Result<std::optional<Relevancies>> scores_of(const imap::SearchArguments& arguments,
                                                 imap::SearchKey key,
                                                 const std::vector<imap::SortKey>& order,
                                                 const Seqs& found);
    imap::SearchKey converted(const imap::SearchArguments& arguments) const;
    TextIndex text_index(const mailbox::Mailbox& mailbox, const mailbox::View& view,
                         const imap::SearchKey& key) const;
    void tell_of_casemap();
    void extend_index(const mailbox::Mailbox& mailbox, const TextIndex& index) const;
    void save_result(Seqs found, const imap::ReturnOptions& options);
    void write_numbers(std::string_view verb, bool uid, const Seqs& found, bool with_modseq);
    void write_esearch(const imap::Command& command, const imap::ReturnOptions& options,
                       const Seqs& found, bool with_modseq, const Relevancies* scores);
    std::vector<imap::Range> saved_ranges() const;

    // append.cc
    friend class AppendCommand;
    void append(const std::string& text, bool at_literal);

    // url_commands.cc
    Result<imap::MessageUrl> url_of(std::string_view text) const;
    bool is_own_url(const imap::MessageUrl& url) const;
    bool is_access_granted(const imap::MessageUrl& url, std::string_view text) const;
    Result<std::string> bytes_of_url(const std::string& text);
    Reply generate_urls(const imap::GenUrlAuthArguments& arguments);
    Reply reset_keys(const imap::ResetKeyArguments& arguments);
    static Result<std::string> extended_url(UrlTarget& target,
                                            const imap::UrlFetchArguments::One& one);
    Result<std::string> fetched_url(const imap::UrlFetchArguments::One& one);
    Reply fetch_urls(const imap::UrlFetchArguments& arguments);

    // acl_commands.cc
    bool may_go_on();
    std::string rights_of(std::string_view name) const;
    std::string rights_or_less(std::string_view name, Result<std::string> rights) const;
    std::optional<Reply> lacks(std::string_view rights, std::string_view name) const;
    std::optional<Reply> lacks_create(std::string_view name) const;
    Reply set_acl(const imap::AclArguments& arguments);
    Reply delete_acl(const imap::AclArguments& arguments);
    Reply get_acl(const std::string& name);
    Reply list_rights(const imap::AclArguments& arguments);
    std::string my_rights_line(const std::string& name) const;
    Reply my_rights(const std::string& name);
    void refresh_rights();
    void publish_shares(std::string_view name) const;
    Result<mailbox::Metadata> visible_metadata(const std::string& name) const;
    std::optional<Reply> take_storable(imap::StoreArguments& arguments) const;

    // notify_commands.cc
    Reply notify(const imap::NotifyArguments& arguments);
    Reply too_many_watches(const Error& error) const;
    Result<void> watch_folders(bool tell);
    Result<void> watch_folder(const std::string& name, bool tell);
    Result<void> watch_existing_folder(const std::string& name, bool tell);
    Result<Notifications::Folders> known_folders() const;
    Result<void> watch_roots();
    Result<void> watch_private_part();
    void add_privately_changed(const std::set<std::string>& files, std::set<std::string>& changed);
    void tell_inaccessible();
    std::string notified_status(const std::string& name, const mailbox::MailboxStatus& status,
                                bool with_modseq) const;
    std::string notified_name(const std::string& name, const std::string& old_name) const;
    void pass_over_own_change(const imap::Command& command);
    void tell_metadata(const std::string& name);
    void overflow(const Error& error);
    void tell_notifications();
    Result<void> tell_mailbox(const std::string& name);
    void follow_names(const std::set<std::string>& own);
    void tell_name(const std::string& name, const NameChanges& changes, bool subscription);
    void tell_first(const std::string& name);
    void tell_new_message(std::uint32_t seq, std::vector<imap::FetchItem> items);
    void follow_selection();
    void wait_and_tell(const Deadline& silence);

    // idle.cc
    void idle(std::string_view tag);
    void idle_on(std::string_view tag, const Fd& watch, bool has_news);
    bool wake_up(const SleepState& state);
    bool settle(int watch);
    bool hibernate(std::string_view tag, int watch, Millis silence_left);
    Fd watch_selected();
    struct IdleTimes;
    bool idle_step(int watch, IdleTimes& times);
    bool is_drowsy(int watch, const IdleTimes& times) const;
    std::optional<std::string> take_idle_line();

    Connection& connection_;
    mailbox::Store& store_;
    Options options_;
    FolderNames names_;
    Output out_;
    imap::CommandReader reader_;
    std::optional<Selected> selected_;
    std::unique_ptr<Notifications> notifications_;  // null: no NOTIFY
    bool idling_ = false;
    Enabled enabled_;
    std::map<std::string, mailbox::Uid> added_to_;  // folders, and the first UID added there
    std::optional<mailbox::PrepareNew> preparing_;  // one that has been among these
    int bad_in_a_row_ = 0;
    bool over_ = false;
    bool hibernates_ = false;
    bool casemap_told_ = false;
    std::string reason_;
    std::string idle_line_;  // what has come of the line that ends IDLE
};

}  // namespace postern::imapd
