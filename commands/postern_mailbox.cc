#include "commands/postern_mailbox.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <optional>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/strings.h"
#include "lib/crypto/secret.h"
#include "lib/imap/mailbox_name.h"
#include "lib/mail/charset.h"
#include "lib/mail/encoded_word.h"
#include "lib/mail/header.h"
#include "lib/mailbox/folder_lock.h"
#include "lib/mailbox/foreign.h"
#include "lib/mailbox/quota.h"
#include "lib/mailbox/store.h"
#include "lib/mailbox/transfer.h"
#include "lib/sasl/passwd_file.h"
#include "lib/sys/error.h"
#include "lib/sys/fs.h"
#include "lib/sys/users.h"

#include "commands/imap_import.h"
#include "commands/imap_source.h"

namespace postern::commands {
namespace {

constexpr std::size_t kMaxUsersFile = 256 << 20;
constexpr std::size_t kMaxPassword = 4096;
constexpr const char* kMailboxUsage =
    "usage: postern mailbox list WHOSE\n"
    "       postern mailbox status WHOSE [FOLDER...]\n"
    "       postern mailbox check WHOSE [FOLDER...]\n"
    "       postern mailbox rebuild WHOSE [FOLDER...]\n"
    "       postern mailbox search WHOSE FOLDER FIELD TEXT\n"
    "       postern mailbox export WHOSE --dovecot | --mbox FOLDER\n"
    "       postern mailbox import WHOSE --mbox FILE FOLDER | --maildir FOLDER\n"
    "       postern mailbox import WHOSE --imap [imaps://|imap://]HOST[:PORT] LOGIN [--ca-file "
    "FILE] "
    "[--no-verify] [--plaintext]\n"
    "WHOSE is a user, or a Maildir (with a slash in it). Levels of folders' names are separated "
    "by\n"
    "dots; a name may be in UTF-8, or as list shows it.\n";

using Arguments = std::span<const std::string>;

constexpr int kWrongUsage = 2;

int wrong_usage(std::string_view what) {
    std::fputs(cat({"postern mailbox: ", what, "\n", kMailboxUsage}).c_str(), stderr);
    return kWrongUsage;
}

void say(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

// Root does not work in users' mailboxes: the process becomes the user. Not by whose the directory
// is that a path of his leads to, which may be a link to somebody else's; only where the
// administrator names a directory it is that one's owner.
Result<void> become_owner(const MailboxPlace& place) {
    if (!sys::is_root()) return {};
    auto owner = place.owner;
    if (!owner) {
        sys::Fs& fs = sys::RealFs::instance();
        auto info = fs.info(place.maildir);
        if (!info) info = fs.info(place.maildir.substr(0, place.maildir.find_last_of('/')));
        if (!info) return std::move(info).error();
        owner = {info->uid, info->gid};
    }
    if (owner->uid == 0) return {};
    return sys::become_user(owner->uid, owner->gid);
}

// As it is on disk, in modified UTF-7, where it is not written so already.
Result<std::string> name_on_disk(const mailbox::Store& store, const std::string& name) {
    if (store.exists(name) || imap::decode_mailbox_name(name)) return name;
    std::string encoded = imap::encode_mailbox_name(name);
    if (imap::decode_mailbox_name(encoded) == name) return encoded;
    return Error{Errc::invalid, "not a folder's name: " + printable(name, 200), 0};
}

Result<mailbox::Mailbox> folder_named(const mailbox::Store& store, const std::string& name) {
    TRY_ASSIGN(const std::string on_disk, name_on_disk(store, name));
    auto box = store.mailbox(on_disk);
    if (!box) return std::move(box).error().within(printable(name, 200));
    return box;
}

// Nobody counts what an import brings: who asks next how much the mailbox holds shall count it all.
// Marked at the beginning too, as the process may not live to see the end.
class Uncounted {
  public:
    explicit Uncounted(const std::string& maildir)
        : quota_(
              mailbox::Quota::of_tree(sys::RealFs::instance(), SystemClock::instance(), maildir)) {
        quota_.forget();
    }
    ~Uncounted() { quota_.forget(); }
    Uncounted(const Uncounted&) = delete;
    Uncounted& operator=(const Uncounted&) = delete;

  private:
    mailbox::Quota quota_;
};

// --- What the words do

Result<std::vector<std::string>> chosen_folders(const mailbox::Store& store, Arguments names) {
    std::vector<std::string> out;
    for (const std::string& name : names) {
        TRY_ASSIGN(std::string on_disk, name_on_disk(store, name));
        out.push_back(std::move(on_disk));
    }
    if (!names.empty()) return out;
    TRY_ASSIGN(const auto folders, store.folders());
    for (const auto& folder : folders)
        if (folder.selectable) out.push_back(folder.name);
    return out;
}

Result<int> list_folders(mailbox::Store& store, Arguments words) {
    if (!words.empty()) return wrong_usage("unexpected argument: " + words[0]);
    TRY_ASSIGN(const auto names, chosen_folders(store, {}));
    for (const std::string& name : names) say(name + "\n");
    return 0;
}

Result<int> show_status(mailbox::Store& store, Arguments words) {
    TRY_ASSIGN(const auto names, chosen_folders(store, words));
    for (const std::string& name : names) {
        TRY_ASSIGN(const mailbox::Mailbox box, folder_named(store, name));
        TRY_ASSIGN(const auto status, box.status(true));
        say(cat({name, " messages=", std::to_string(status.messages),
                 " unseen=", std::to_string(status.unseen), " size=", std::to_string(status.size),
                 " uidnext=", std::to_string(status.next_uid),
                 " uidvalidity=", std::to_string(status.uid_validity),
                 " highestmodseq=", std::to_string(status.highest_modseq), "\n"}));
    }
    return 0;
}

// Reads every message; what cannot be read is told.
Result<std::size_t> check_folder(const mailbox::Mailbox& box, const std::string& name) {
    std::size_t problems = 0;
    const auto complain = [&](const std::string& what) {
        ++problems;
        say(cat({name, ": ", what, "\n"}));
    };
    auto view = box.open(mailbox::Access::read_only);
    if (!view) return complain(view.error().what), problems;
    mailbox::Uid last = 0;
    for (std::uint32_t seq = 1; seq <= (*view)->count(); ++seq) {
        const mailbox::Uid uid = (*view)->message(seq).uid;
        if (uid <= last) complain("UID " + std::to_string(uid) + " is not in order");
        last = uid;
        const auto text = (*view)->read(seq);
        if (!text && text.error().code != Errc::not_found)
            complain(cat({"UID ", std::to_string(uid), ": ", text.error().what}));
        const auto said = (*view)->crlf_size(seq);
        if (text && said && *said != mailbox::to_crlf(*text).size())
            complain(cat({"UID ", std::to_string(uid), ": its size is ",
                          std::to_string(mailbox::to_crlf(*text).size()), ", not ",
                          std::to_string(*said)}));
    }
    if (last >= (*view)->next_uid()) complain("UIDNEXT is not above all UIDs");
    return problems;
}

Result<int> check_folders(mailbox::Store& store, Arguments words) {
    TRY_ASSIGN(const auto names, chosen_folders(store, words));
    std::size_t problems = 0;
    for (const std::string& name : names) {
        TRY_ASSIGN(const mailbox::Mailbox box, folder_named(store, name));
        TRY_ASSIGN(const std::size_t some, check_folder(box, name));
        problems += some;
    }
    say(problems == 0 ? "no problems\n" : std::to_string(problems) + " problems\n");
    return problems == 0 ? 0 : 1;
}

// Index and cache go, and are made again from the files, the UID list and the log.
Result<int> rebuild_folders(mailbox::Store& store, Arguments words) {
    TRY_ASSIGN(const auto names, chosen_folders(store, words));
    for (const std::string& name : names) {
        TRY_ASSIGN(const mailbox::Mailbox box, folder_named(store, name));
        sys::Fs& fs = *box.environment().fs;
        {
            TRY_ASSIGN(const auto lock,
                       mailbox::FolderLock::take(fs, box.path() + "/postern.lock"));
            for (const char* file : {"/postern.index", "/postern.cache"}) {
                auto gone = fs.unlink(box.path() + file);
                if (!gone && gone.error().code != Errc::not_found) return Error(gone.error());
            }
        }
        TRY_ASSIGN(const auto view, box.open(mailbox::Access::read_write));
        TRY(view->sync(mailbox::Expunges::report, true));
        for (bool more = true; more;) {
            TRY_ASSIGN(more, view->tidy());
        }
        say(cat({name, ": ", std::to_string(view->count()), " messages\n"}));
    }
    return 0;
}

// The UIDs of messages with the text in a field of the header ("text": anywhere), in any case.
Result<int> search_folder(mailbox::Store& store, Arguments words) {
    if (words.size() != 3) return wrong_usage("search needs a folder, a field and a text");
    TRY_ASSIGN(const mailbox::Mailbox box, folder_named(store, words[0]));
    TRY_ASSIGN(const auto view, box.open(mailbox::Access::read_only));
    const std::string wanted = mail::fold_for_search(words[2]);
    const auto contains = [&](std::string_view text) {
        return mail::fold_for_search(mail::decode_words(text)).find(wanted) != std::string::npos;
    };
    for (std::uint32_t seq = 1; seq <= view->count(); ++seq) {
        const auto text = view->read(seq);
        if (!text && text.error().code == Errc::not_found) continue;
        if (!text) return Error(text.error());
        bool found = iequals(words[1], "text") && contains(*text);
        mail::HeaderCursor cursor(mail::split_message(*text).header);
        for (auto field = cursor.next(); field && !found; field = cursor.next())
            found = iequals(field->name, words[1]) && contains(field->body);
        if (found) say(std::to_string(view->message(seq).uid) + "\n");
    }
    return 0;
}

Result<int> export_mail(mailbox::Store& store, Arguments words) {
    if (words.size() == 1 && words[0] == "--dovecot") {
        TRY_ASSIGN(const std::size_t count, mailbox::export_for_dovecot(store));
        say(std::to_string(count) + " messages are ready for Dovecot\n");
        return 0;
    }
    if (words.size() != 2 || words[0] != "--mbox")
        return wrong_usage("export needs --dovecot, or --mbox and a folder");
    const auto write = [](std::string_view bytes) -> Result<void> {
        if (std::fwrite(bytes.data(), 1, bytes.size(), stdout) != bytes.size())
            return sys::system_error("write");
        return {};
    };
    TRY_ASSIGN(const std::string folder, name_on_disk(store, words[1]));
    auto exported = mailbox::export_mbox(store, folder, write);
    if (!exported) return std::move(exported).error().within(printable(words[1], 200));
    if (std::fflush(stdout) != 0) return sys::system_error("write");
    return 0;
}

// The first line of standard input.
std::string password_from_stdin() {
    std::string line;
    for (int c = std::getchar(); c != EOF && c != '\n' && line.size() < kMaxPassword;
         c = std::getchar())
        line += static_cast<char>(c);
    return line;
}

void say_imported(const mailbox::Imported& done) {
    say(cat({std::to_string(done.messages), " messages in ", std::to_string(done.folders),
             " folders\n"}));
    if (done.renumbered != 0)
        say(cat({std::to_string(done.renumbered),
                 " of them have new UIDs, as their folders had mail already\n"}));
    if (done.present != 0) say(std::to_string(done.present) + " were here already\n");
}

Result<int> import_from_server(mailbox::Store& store, Arguments words) {
    if (words.size() < 2) return wrong_usage("import --imap needs a server and a login");
    auto parsed = parse_imap_server(words[0]);
    if (!parsed) return wrong_usage(parsed.error().what);
    ImapAccount account = *std::move(parsed);
    account.user = words[1];
    for (std::size_t i = 2; i < words.size(); ++i) {
        if (words[i] == "--ca-file" && i + 1 < words.size())
            account.ca_file = words[++i];
        else if (words[i] == "--no-verify")
            account.verify = false;
        else if (words[i] == "--plaintext")
            account.plaintext = true;
        else
            return wrong_usage("unexpected argument: " + words[i]);
    }
    if (::isatty(STDIN_FILENO) != 0) std::fputs("Password (on standard input): ", stderr);
    account.password = password_from_stdin();
    const crypto::WipeGuard guard(account.password);
    TRY_ASSIGN(ImapSource source, ImapSource::open(account));
    TRY_ASSIGN(const auto done, import_imap(store, source, cat({account.user, "@", account.host}),
                                            [](const std::string& line) {
                                                say(line + "\n");
                                                std::fflush(stdout);
                                            }));
    source.finish();
    say_imported(done);
    if (done.withheld == 0) return 0;
    return Error{Errc::temporary,
                 cat({std::to_string(done.withheld), " messages were not given by the server"}), 0};
}

Result<int> import_mail(mailbox::Store& store, Arguments words) {
    if (!words.empty() && words[0] == "--imap") return import_from_server(store, words.subspan(1));
    if (words.size() == 3 && words[0] == "--mbox") {
        TRY_ASSIGN(const std::string folder, name_on_disk(store, words[2]));
        TRY_ASSIGN(const std::size_t count, mailbox::import_mbox(store, folder, words[1]));
        say(std::to_string(count) + " messages\n");
        return 0;
    }
    if (words.size() != 2 || words[0] != "--maildir")
        return wrong_usage(
            "import needs --mbox, a file and a folder, or --maildir and a Maildir, or --imap");
    TRY_ASSIGN(const auto done, mailbox::import_maildir(store, words[1]));
    say_imported(done);
    return 0;
}

struct MailboxVerb {
    const char* name;
    Result<int> (*run)(mailbox::Store&, Arguments);
};
constexpr MailboxVerb kMailboxVerbs[] = {
    {"list", list_folders},       {"status", show_status},   {"check", check_folders},
    {"rebuild", rebuild_folders}, {"search", search_folder}, {"export", export_mail},
    {"import", import_mail},
};

Result<int> run_verb(const MailboxVerb& verb, const std::string& whose, Arguments words,
                     const config::Config& config) {
    TRY_ASSIGN(const MailboxPlace place, find_mailbox(whose, config));
    const std::string& maildir = place.maildir;
    TRY(become_owner(place));
    const bool makes = verb.run == import_mail;
    if (!makes && !sys::RealFs::instance().info(maildir + "/cur"))
        return Error{Errc::not_found, maildir + " is no Maildir", 0};
    TRY_ASSIGN(mailbox::Store store, mailbox::Store::open(maildir));
    if (!place.inbox_file.empty()) {
        TRY_ASSIGN(const auto rules,
                   mailbox::parse_locks(join(config.get(param::mailbox_delivery_lock), " ")));
        store.set_mbox_inbox(place.inbox_file, rules);
    }
    std::optional<Uncounted> uncounted;
    if (makes) uncounted.emplace(maildir);
    return verb.run(store, words);
}

bool asks_for_help(const std::string& word) { return word == "--help" || word == "-h"; }

Result<int> run_mailbox(Arguments arguments, const config::Config& config) {
    const auto first = arguments.first(std::min<std::size_t>(2, arguments.size()));
    if (std::any_of(first.begin(), first.end(), asks_for_help)) return say(kMailboxUsage), 0;
    if (arguments.empty()) return wrong_usage("arguments are missing");
    for (const MailboxVerb& verb : kMailboxVerbs) {
        if (arguments[0] != verb.name) continue;
        if (arguments.size() < 2) return wrong_usage("whose mailbox?");
        return run_verb(verb, arguments[1], arguments.subspan(2), config);
    }
    return wrong_usage("unknown word: " + printable(arguments[0], 40));
}

// A number, or the name of something that the system knows.
template <class Id, class Find>
Result<Id> id_of(const std::string& text, std::string_view what, Find find) {
    if (const auto number = parse_number<Id>(text)) return *number;
    auto found = find(text);
    if (found.failed()) return std::move(found).error();
    if (found.found()) return *found;
    return Error{Errc::not_found, cat({"no system ", what, " ", printable(text, 40)}), 0};
}

Lookup<uid_t> find_uid(const std::string& name) {
    auto found = sys::find_user(name);
    if (found.failed()) return std::move(found).error();
    if (found.not_found()) return NotFound{};
    return uid_t{found->uid};
}

// Whom IMAP sessions of the user run as, as auth tells them: the entry's uid; else the system's
// account of that name, else mail_owner.
Result<MailboxPlace::Owner> owner_of(const sasl::PasswdEntry& entry, const config::Config& config) {
    MailboxPlace::Owner owner;
    const bool has_account = !sys::find_user(entry.user).not_found();
    const std::string user = !entry.uid.empty() ? entry.uid
                             : has_account      ? entry.user
                                                : config.get(param::mail_owner);
    TRY_ASSIGN(owner.uid, id_of<uid_t>(user, "user", find_uid));
    if (!entry.gid.empty()) {
        TRY_ASSIGN(owner.gid, id_of<gid_t>(entry.gid, "group", sys::find_group));
        return owner;
    }
    const auto account = sys::find_user(owner.uid);
    if (!account.found())
        return Error{Errc::invalid, cat({"user ", printable(entry.user, 40), " has no gid"}), 0};
    owner.gid = account.value().gid;
    return owner;
}

}  // namespace

Result<MailboxPlace> find_mailbox(const std::string& whose, const config::Config& config) {
    if (whose.find('/') != std::string::npos)
        return MailboxPlace{
            whose.substr(0, std::max<std::size_t>(whose.find_last_not_of('/') + 1, 1))};
    if (!sasl::is_user_name(whose))
        return Error{Errc::invalid, "not a user's name: " + printable(whose, 40), 0};
    const auto users = mailbox::read_small_file(sys::RealFs::instance(),
                                                config.get(param::auth_passwd_file), kMaxUsersFile);
    sasl::PasswdEntry found;
    for (const std::string_view line : split(users ? *users : std::string_view(), '\n')) {
        const auto entry = sasl::parse_passwd_line(line);
        if (entry && *entry && iequals((*entry)->user, whose)) found = **entry;
    }
    if (found.home.empty()) {
        const auto account = sys::find_user(whose);
        // Which may be for root only: whoever has an account can look at his own mail without it.
        if (!account.found() && !users && users.error().code != Errc::not_found)
            return Error(users.error());
        if (!account.found()) return Error{Errc::not_found, "no such user: " + whose, 0};
        found.user = whose;
        found.home = account.value().home;
    }
    TRY(sasl::check_mailbox(found));
    MailboxPlace place;
    place.maildir = sasl::mailbox_of(found, config.get(param::mailbox_path));
    place.inbox_file = sasl::inbox_file_of(found, config.get(param::mailbox_inbox_file));
    if (sys::is_root()) {
        TRY_ASSIGN(place.owner, owner_of(found, config));
    }
    return place;
}

int mailbox_command(std::span<const std::string> arguments, const config::Config& config) {
    const auto status = run_mailbox(arguments, config);
    if (status) return *status;
    std::fprintf(stderr, "postern mailbox: %s\n", status.error().what.c_str());
    return 1;
}

}  // namespace postern::commands
