// Store: all folders of one user, as Maildir++: the root is INBOX, ".Sent.2026" is folder
// Sent.2026. Folder names are what IMAP says on the wire (modified UTF-7), '.' separates levels,
// INBOX has any case. No lock for reading; changes to the set of folders are single renames and
// mkdirs.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/random.h"
#include "lib/base/result.h"
#include "lib/mailbox/acl.h"
#include "lib/mailbox/folder_lock.h"
#include "lib/mailbox/mailbox.h"
#include "lib/mailbox/mbox_lock.h"
#include "lib/mailbox/metadata.h"
#include "lib/sys/fs.h"

namespace postern::mailbox {

inline constexpr char kSeparator = '.';
inline constexpr std::size_t kMaxFolderName = 240;

// Is this the name `above`, or one below it?
inline bool is_within(std::string_view name, std::string_view above) {
    return name.starts_with(above) &&
           (name.size() == above.size() || name[above.size()] == kSeparator);
}

struct Folder {
    std::string name;
    bool selectable = true;  // false: exists only because something below it does (\Noselect)
    bool has_children = false;
};

// A name below which nothing is the user's own.
struct Namespace {
    std::string prefix;     // "Public"
    bool of_users = false;  // each level below is another user; else it is one public tree
};

// Folders that are not the user's own, below a name (RFC 2342): a tree of Maildir++ that belongs to
// nobody in particular, or those of one other user. What may be done in them, their lists say.
struct Mount {
    std::string prefix;  // "Public"; "Other.fred"
    std::string root;    // of the Maildir
    std::string owner;   // empty: it is public
    // Of an owner: those that are shown. What there is in a public tree is looked up.
    std::vector<std::string> folders;
    QuotaLimits limits = {};  // of the owner's mailbox
    // How its files are reached; where nothing is said, by a BeneathFs that add_mount() makes.
    std::shared_ptr<sys::Fs> fs = nullptr;
};

// The folders of another user's Maildir whose own lists let this one in. Empty where nothing can be
// read.
std::vector<std::string> shared_folders(const std::string& root, const Person& person,
                                        sys::Fs& fs = sys::RealFs::instance());

class Store {
  public:
    // Opens the Maildir at root and makes it (cur, new, tmp) where it is missing; root's parent
    // must exist.
    static Result<Store> open(std::string root, sys::Fs& fs = sys::RealFs::instance(),
                              const Clock& clock = SystemClock::instance(),
                              Random& random = SystemRandom::instance());

    // All folders, INBOX first, then by name. Includes \Noselect parents.
    Result<std::vector<Folder>> folders() const;
    // Does it exist and can it be selected?
    bool exists(std::string_view name) const;

    // What folders are for, RFC 6154, as clients have said: by name, attributes like "\\Sent".
    using SpecialUses = std::map<std::string, std::vector<std::string>, std::less<>>;
    Result<SpecialUses> special_uses() const;
    Result<void> set_special_use(std::string_view name, std::vector<std::string> attributes);
    // The same, and takes these uses from the folders that had them, whose names it gives.
    Result<std::vector<std::string>> move_special_use(std::string_view name,
                                                      const std::vector<std::string>& attributes);

    // What clients note about a folder, or ("") about the store: RFC 5464. In a folder of others'
    // each user has private entries of his own. Errc::not_found.
    Result<Metadata> metadata(std::string_view name) const;
    Result<void> set_metadata(std::string_view name, const std::vector<MetadataChange>& changes);

    // The key under which the user's URLs of the folder's messages are signed (RFC 4467); empty
    // while there is none, unless it is to be made. Errc::not_found: no such folder.
    Result<std::string> url_key(std::string_view name, bool make) const;
    Result<void> reset_url_key(std::string_view name) const;
    // Of all folders of others, those too that cannot be seen just now.
    Result<void> reset_url_keys_of_others() const;

    // Other trees, and who the user is that their lists are about. A public folder without a list
    // has that of the one above it, at last that of the tree's root.
    void add_namespace(Namespace space) { namespaces_.push_back(std::move(space)); }
    // One whose root cannot be reached safely is left out, and the log told.
    void add_mount(Mount mount);
    const std::vector<Namespace>& namespaces() const { return namespaces_; }
    void set_person(Person person) { person_ = std::move(person); }
    const std::vector<Mount>& mounts() const { return mounts_; }
    // Is it the user's own (or the name of none)?
    bool is_personal(std::string_view name) const;
    // Where the user keeps his own part of folders of others (private_place.h), made where missing;
    // and whether a file there is about this one of them.
    Result<std::string> make_private_folder() const;
    bool is_private_file_of(std::string_view name, std::uint32_t uid_validity,
                            std::string_view file) const;
    // What the user keeps of folders of others that are gone for good is removed.
    // Best called when nobody waits.
    Result<void> forget_absent_folders() const;
    // Whose the folder is: empty for public ones.
    std::string owner_of(std::string_view name) const;
    // What the user may do in the folder, or with the making of one of that name. Errc::not_found.
    Result<std::string> rights(std::string_view name) const;
    std::string rights_above(std::string_view name) const;

    // Who may look up any of the user's own folders, as their lists name them: for SharedDict.
    Result<std::vector<std::string>> own_readers() const;

    // The folder's access control list, empty where there is none. Errc::not_found.
    Result<Acl> acl(std::string_view name) const;
    Result<void> set_acl(std::string_view name, std::string_view identifier, AclChange change,
                         std::string_view rights) const;

    // The first time that it is called for a store: makes and subscribes these folders, where they
    // are not there. Nothing ever after, so that what its user deletes stays away.
    Result<void> make_initial_folders(const std::vector<std::string>& names);

    // Errc::invalid: the name cannot be a folder's. Errc::permanent: it exists already.
    Result<void> create(std::string_view name);
    // Errc::not_found; Errc::permanent for INBOX. Folders below stay (RFC 3501 6.3.4).
    Result<void> remove(std::string_view name);
    // Renames with everything below. INBOX: its messages move into the new folder (RFC 3501 6.3.5).
    Result<void> rename(std::string_view from, std::string_view to);

    // While it is held, no rename() of a folder with others below it is half done: for who tells
    // of changes. Nothing where it cannot be had in time.
    std::optional<FolderLock> hold_names() const;

    // The list of subscribed names, which need not exist (RFC 3501 6.3.6). Sorted.
    Result<std::vector<std::string>> subscriptions() const;
    Result<void> subscribe(std::string_view name);
    Result<void> unsubscribe(std::string_view name);  // Errc::not_found when it was not there

    // Errc::not_found, Errc::invalid.
    Result<Mailbox> mailbox(std::string_view name) const;
    // The same with what rights() says, for SELECT: the folder is looked for once.
    struct Entered {
        Mailbox mailbox;
        Result<std::string> rights;
    };
    Result<Entered> enter(std::string_view name) const;

    // Canonical form: "inbox" -> "INBOX", a trailing separator removed. Errc::invalid for what
    // cannot be a folder: empty levels, control characters, '/', too long.
    static Result<std::string> canonical(std::string_view name);

    // INBOX is an mbox file, and the root a Maildir that shows it (mbox_inbox.h).
    void set_mbox_inbox(std::string file, LockRules rules);

    // From now on what is added must fit, and what comes and goes is counted.
    void set_quota(QuotaLimits limits);
    const Quota* quota() const { return env_.quota.get(); }  // null: none
    // What a folder's messages count for: in folders of others, it is not the user's own quota.
    struct QuotaRoot {
        std::string name;                    // empty: one's own; otherwise the Mount's prefix
        std::shared_ptr<const Quota> quota;  // null: none
    };
    // Errc::not_found where the folder is another's, or would be, and cannot be seen.
    Result<QuotaRoot> quota_root(std::string_view name) const;

    const std::string& root() const { return env_.root; }

  private:
    explicit Store(Environment env) : env_(std::move(env)) {}
    // Where a folder is.
    struct Place {
        const Mount* mount = nullptr;  // null: one's own
        std::string name;              // in its tree
        Environment env;
        std::string path;
    };
    Result<Place> place_of(std::string_view name) const;
    Result<Place> existing(std::string_view name) const;  // Errc::not_found
    bool is_there(const Place& place) const;
    Environment environment_of(const Mount& mount, const std::string& path) const;
    std::shared_ptr<const Quota> quota_of(const Mount& mount) const;
    Result<std::optional<Acl>> acl_in(const Mount& mount, std::string name) const;
    std::string rights_in(const Mount& mount, const std::string& name) const;
    Result<std::string> rights_at(const Place& place) const;
    Result<Mailbox> mailbox_at(Place place) const;
    Result<void> guard(Place& place) const;
    void list_mount(const Mount& mount, std::vector<std::string>& names) const;
    std::string path_of(std::string_view canonical_name) const;
    Result<void> rename_own(const std::string& source, const std::string& target);
    Result<void> keep_lists(const Mount& mount, std::span<const std::string> names) const;
    Result<void> keep_lists_below(const Place& place) const;
    Result<void> keep_lists_of(const Place& source, const Place& target,
                               std::span<const std::string> names) const;
    Result<void> may_rename(const Place& source, std::span<const std::string> names) const;
    Result<void> rename_mounted(const Place& source, const Place& target) const;
    std::string private_folder() const;
    Result<std::string> private_file(const Place& place, std::string_view which) const;
    std::set<std::string> private_groups() const;
    Result<void> set_private_metadata(const Place& place,
                                      const std::vector<MetadataChange>& changes,
                                      const std::vector<MetadataChange>& shared) const;
    Result<std::string> url_key_file(std::string_view name) const;
    Result<void> change_special_uses(const std::function<bool(SpecialUses&)>& change);
    Result<void> change_subscription(const std::string& name, bool present);
    Result<void> rename_inbox(const std::string& to);
    static Result<void> make_folder(sys::Fs& fs, const std::string& path);
    static Result<std::vector<std::string>> folder_names(sys::Fs& fs, const std::string& root);

    Environment env_;
    std::shared_ptr<MboxInbox> mbox_;
    std::vector<Namespace> namespaces_;
    std::vector<Mount> mounts_;
    Person person_;
};

}  // namespace postern::mailbox
