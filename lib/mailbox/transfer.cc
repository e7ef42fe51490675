#include "lib/mailbox/transfer.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>

#include "lib/base/encode.h"
#include "lib/base/strings.h"
#include "lib/mailbox/appender.h"
#include "lib/mailbox/folder_lock.h"
#include "lib/mailbox/foreign.h"
#include "lib/mailbox/line_log.h"
#include "lib/mailbox/mbox_text.h"
#include "lib/mailbox/message_name.h"
#include "lib/mailbox/uid_list.h"

namespace postern::mailbox {
namespace {

constexpr std::size_t kBatch = 200;        // messages that become durable together
constexpr std::size_t kLongestStem = 180;  // of a file's name, before sizes and flags
constexpr std::size_t kLargestMbox = std::size_t{4} << 30;
constexpr std::size_t kLargestMessage = std::size_t{1} << 30;
// What says UIDs and keywords, in the order of what is believed.
constexpr const char* kListFiles[] = {"dovecot-uidlist", "dovecot-keywords", "courierimapuiddb"};

Result<Mailbox> folder_of(Store& store, std::string_view name) {
    if (!store.exists(name)) TRY(store.create(name));
    return store.mailbox(name);
}

AppendMessage append_of(const MboxMessage& message) {
    AppendMessage out;
    out.content = [&message](MessageWriter& writer) { return writer.write(message.text); };
    out.flags = message.flags;
    out.keywords = message.keywords;
    out.date = message.date;
    return out;
}

Result<void> copy_file(sys::Fs& fs, const std::string& from, const std::string& to) {
    TRY_ASSIGN(const std::string text, read_small_file(fs, from, kLargestMessage));
    TRY_ASSIGN(const auto info, fs.info(from));
    const std::string temporary = to + ".new";
    {
        TRY_ASSIGN(const Fd file, fs.open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW));
        TRY(fs.write(file.get(), text));
        TRY(fs.sync(file.get()));
    }
    TRY(fs.set_times(temporary, info.mtime_ns / 1'000'000'000));
    return fs.rename(temporary, to);
}

// The folders of a foreign store: their names and paths, INBOX first.
Result<std::vector<std::pair<std::string, std::string>>> foreign_folders(sys::Fs& fs,
                                                                         const std::string& root) {
    TRY_ASSIGN(const auto entries, fs.list(root));
    std::vector<std::pair<std::string, std::string>> out;
    for (const auto& entry : entries) {
        if (entry.kind != sys::FileInfo::Kind::directory || !entry.name.starts_with('.')) continue;
        const std::string path = cat({root, "/", entry.name});
        auto name = Store::canonical(std::string_view(entry.name).substr(1));
        if (name && *name != "INBOX" && fs.info(path + "/cur")) out.emplace_back(*name, path);
    }
    std::sort(out.begin(), out.end());
    out.insert(out.begin(), {"INBOX", root});
    return out;
}

struct SourceFile {
    std::string folder;  // "cur" or "new"
    std::string name;
};

Result<std::vector<SourceFile>> messages_of(sys::Fs& fs, const std::string& path) {
    std::vector<SourceFile> out;
    for (const char* part : {"cur", "new"}) {
        const auto entries = fs.list(cat({path, "/", part}));
        if (!entries && entries.error().code != Errc::not_found) return Error(entries.error());
        if (!entries) continue;
        for (const auto& entry : *entries)
            if (is_message_name(entry.name)) out.push_back({part, entry.name});
    }
    // The order of arrival, where no list says another one
    std::sort(out.begin(), out.end(),
              [](const SourceFile& a, const SourceFile& b) { return a.name < b.name; });
    return out;
}

// What tells a message's file from all others: its name without sizes and flags.
std::string_view stem_of(std::string_view name) {
    const auto base = MessageName::parse(name).base;
    return base.substr(0, base.find(','));
}

// Takes away those that are here; how many these were.
std::size_t drop_present(std::vector<SourceFile>& files, const std::vector<SourceFile>& present) {
    std::set<std::string_view> stems;
    for (const SourceFile& file : present) stems.insert(stem_of(file.name));
    return std::erase_if(
        files, [&](const SourceFile& file) { return stems.contains(stem_of(file.name)); });
}

// Has nobody given UIDs in this folder yet? Another server's list may be what an interrupted copy
// of `from` has brought.
Result<bool> is_unnumbered(sys::Fs& fs, const std::string& folder, const std::string& from) {
    if (fs.info(folder + "/postern.uids")) return false;
    for (const char* list : kListFiles) {
        const std::string path = cat({"/", list});
        if (!fs.info(folder + path)) continue;
        TRY_ASSIGN(const std::string ours, read_small_file(fs, folder + path, kMaxForeignFile));
        const auto theirs = read_small_file(fs, from + path, kMaxForeignFile);
        if (!theirs || *theirs != ours) return false;
    }
    return true;
}

// A folder that has no UIDs yet: its files under their names, and what says their UIDs. Our own
// list comes last: where it is, all is.
Result<void> copy_folder(sys::Fs& fs, const std::string& from, const std::string& to,
                         const std::vector<SourceFile>& files) {
    for (const SourceFile& file : files) {
        const std::string path = cat({"/", file.folder, "/", file.name});
        TRY(copy_file(fs, from + path, cat({to, "/tmp/", file.name})));
        TRY(fs.rename(cat({to, "/tmp/", file.name}), to + path));
    }
    for (const char* part : {"/cur", "/new"}) TRY(fs.sync_directory(to + part));
    for (const char* list : kListFiles) {
        const std::string path = cat({"/", list});
        if (fs.info(from + path)) TRY(copy_file(fs, from + path, to + path));
    }
    const std::string keywords = "/courierimapkeywords";
    if (fs.info(cat({from, keywords, "/:list"}))) {
        auto made = fs.make_directory(to + keywords, 0700);
        if (!made && made.error().sys != EEXIST) return made;
        TRY(copy_file(fs, cat({from, keywords, "/:list"}), cat({to, keywords, "/:list"})));
    }
    TRY(fs.sync_directory(to));
    if (!fs.info(from + "/postern.uids")) return {};
    if (fs.info(from + "/postern.log"))
        TRY(copy_file(fs, from + "/postern.log", to + "/postern.log"));
    TRY(copy_file(fs, from + "/postern.uids", to + "/postern.uids"));
    return fs.sync_directory(to);
}

using KeywordsByLetter = std::map<char, std::string>;

Result<MboxMessage> read_message(sys::Fs& fs, const std::string& folder, const SourceFile& file,
                                 const KeywordsByLetter& names) {
    const std::string path = cat({folder, "/", file.folder, "/", file.name});
    const MessageName parts = MessageName::parse(file.name);
    MboxMessage message;
    TRY_ASSIGN(message.text, read_small_file(fs, path, kLargestMessage));
    TRY_ASSIGN(const auto info, fs.info(path));
    message.date = info.mtime_ns / 1'000'000'000;
    const Flags flags = flags_of_info(parts.info);
    message.flags = flags.system;
    if ((flags.keywords & 1) != 0) message.keywords.emplace_back(kForwardedKeyword);
    for (const char c : parts.info)
        if (const auto at = names.find(c); at != names.end())
            message.keywords.push_back(at->second);
    return message;
}

Result<void> append_folder(sys::Fs& fs, const std::string& from, const Mailbox& to,
                           const std::vector<SourceFile>& files) {
    const auto text = read_small_file(fs, from + "/dovecot-keywords", kMaxForeignFile);
    const auto names = parse_dovecot_keywords(text ? *text : std::string());
    for (std::size_t at = 0; at < files.size();) {
        Appender appender(to);
        for (const std::size_t end = std::min(at + kBatch, files.size()); at < end; ++at) {
            TRY_ASSIGN(const MboxMessage message, read_message(fs, from, files[at], names));
            AppendMessage one = append_of(message);
            if (stem_of(files[at].name).size() <= kLongestStem) one.stem = stem_of(files[at].name);
            TRY(appender.add(one));
        }
        TRY(appender.commit());
    }
    return {};
}

Result<void> take_subscriptions(Store& store, const std::string& source) {
    sys::Fs& fs = *store.mailbox("INBOX").value().environment().fs;
    std::vector<std::string> names;
    if (const auto text = read_small_file(fs, source + "/subscriptions", kMaxForeignFile))
        names = parse_dovecot_subscriptions(*text);
    else if (const auto other =
                 read_small_file(fs, source + "/courierimapsubscribed", kMaxForeignFile))
        names = parse_courier_subscriptions(*other);
    else if (const auto ours =
                 read_small_file(fs, source + "/postern.subscriptions", kMaxForeignFile))
        names = parse_courier_subscriptions(ours->substr(ours->find('\n') + 1));
    for (const std::string& name : names)
        if (Store::canonical(name)) TRY(store.subscribe(name));
    return {};
}

}  // namespace

Result<std::size_t> import_mbox(Store& store, std::string_view folder, const std::string& file) {
    TRY_ASSIGN(const Mailbox box, folder_of(store, folder));
    TRY_ASSIGN(const std::string text, read_small_file(*box.environment().fs, file, kLargestMbox));
    MboxReader reader(text);
    if (!reader.is_mbox()) return Error{Errc::invalid, file + " does not begin as an mbox", 0};
    std::size_t count = 0;
    Appender appender(box);  // all or none: who does it again shall not have half of it twice
    while (auto message = reader.next()) {
        if (message->text.empty()) continue;
        TRY(appender.add(append_of(*message)));
        ++count;
    }
    if (count == 0) return count;
    TRY(appender.commit());
    return count;
}

Result<Imported> import_maildir(Store& store, const std::string& source) {
    TRY_ASSIGN(const Mailbox inbox, store.mailbox("INBOX"));
    sys::Fs& fs = *inbox.environment().fs;
    if (!fs.info(source + "/cur")) return Error{Errc::not_found, source + " is no Maildir", 0};
    TRY_ASSIGN(const auto folders, foreign_folders(fs, source));
    Imported out;
    for (const auto& [name, path] : folders) {
        TRY_ASSIGN(auto files, messages_of(fs, path));
        TRY_ASSIGN(const Mailbox box, folder_of(store, name));
        TRY_ASSIGN(const auto present, messages_of(fs, box.path()));
        out.present += drop_present(files, present);
        TRY_ASSIGN(const bool fresh, is_unnumbered(fs, box.path(), path));
        if (fresh) {
            TRY(copy_folder(fs, path, box.path(), files));
        } else {
            TRY(append_folder(fs, path, box, files));
        }
        ++out.folders;
        out.messages += files.size();
        if (!fresh) out.renumbered += files.size();
        TRY(box.open(Access::read_write));  // takes UIDs and keywords over
    }
    TRY(take_subscriptions(store, source));
    return out;
}

namespace {

Result<MboxMessage> exported(View& view, std::uint32_t seq) {
    const Message message = view.message(seq);
    MboxMessage out;
    TRY_ASSIGN(out.text, view.read(seq));
    TRY_ASSIGN(out.date, view.internal_date(seq));
    out.flags = message.flags.system;
    for (std::size_t i = 0; i < view.keywords().size(); ++i)
        if ((message.flags.keywords >> i & 1) != 0) out.keywords.push_back(view.keywords()[i]);
    return out;
}

}  // namespace

Result<std::size_t> export_mbox(const Store& store, std::string_view folder,
                                const std::function<Result<void>(std::string_view)>& write) {
    TRY_ASSIGN(const Mailbox box, store.mailbox(folder));
    TRY_ASSIGN(const auto view, box.open(Access::read_only));
    std::size_t count = 0;
    for (std::uint32_t seq = 1; seq <= view->count(); ++seq) {
        auto message = exported(*view, seq);
        if (!message && message.error().code == Errc::not_found) continue;  // expunged meanwhile
        if (!message) return std::move(message).error();
        TRY(write(to_mbox(*message)));
        ++count;
    }
    return count;
}

namespace {

// ":2,FSab"; Dovecot has $Forwarded as a keyword like any other.
std::string dovecot_info(const Message& message) {
    std::string letters;
    for (std::size_t i = 0; i < kDovecotKeywords; ++i)
        if ((message.flags.keywords >> i & 1) != 0) letters += static_cast<char>('a' + i);
    return info_of_flags(message.flags, ":2," + letters);
}

// Gives the files of a folder the names that say all; the list of UIDs for Dovecot.
Result<ForeignUids> name_for_dovecot(const Mailbox& box, const View& view) {
    sys::Fs& fs = *box.environment().fs;
    UidList list(box.environment(), box.path());
    TRY(list.refresh());
    ForeignUids out;
    out.validity = view.uid_validity();
    out.next_uid = view.next_uid();
    TRY_ASSIGN(const auto files, messages_of(fs, box.path()));
    for (const SourceFile& file : files) {
        const std::string base(MessageName::parse(file.name).base);
        const Uid uid = list.find(base);
        const std::uint32_t seq = uid == 0 ? 0 : view.seq_of(uid);
        if (seq == 0) continue;  // came this moment: Dovecot finds it as a new one
        out.messages.emplace_back(uid, base);
        const std::string info = dovecot_info(view.message(seq));
        if (file.folder == "new" && info == ":2,") continue;
        const std::string to = cat({box.path(), "/cur/", base, info});
        const std::string from = cat({box.path(), "/", file.folder, "/", file.name});
        if (from != to) TRY(fs.rename(from, to));
    }
    std::sort(out.messages.begin(), out.messages.end());
    return out;
}

}  // namespace

Result<std::size_t> export_for_dovecot(const Store& store) {
    TRY_ASSIGN(const auto folders, store.folders());
    std::size_t count = 0;
    for (const Folder& folder : folders) {
        if (!folder.selectable) continue;
        TRY_ASSIGN(const Mailbox box, store.mailbox(folder.name));
        TRY_ASSIGN(const auto view, box.open(Access::read_write));
        sys::Fs& fs = *box.environment().fs;
        if (view->keywords().size() > kDovecotKeywords)
            return Error{Errc::no_space, folder.name + ": more keywords than Dovecot has letters",
                         0};
        {
            TRY_ASSIGN(const FolderLock lock, FolderLock::take(fs, box.path() + "/postern.lock"));
            TRY_ASSIGN(const ForeignUids uids, name_for_dovecot(box, *view));
            for (const char* part : {"/cur", "/new"}) TRY(fs.sync_directory(box.path() + part));
            TRY(LineLog(fs, box.path() + "/dovecot-keywords")
                    .replace(format_dovecot_keywords(view->keywords())));
            const std::string guid = hex_encode(box.environment().random->bytes(16));
            TRY(LineLog(fs, box.path() + "/dovecot-uidlist")
                    .replace(format_dovecot_uidlist(uids, guid)));
            count += uids.messages.size();
        }
        TRY(view->sync(Expunges::report, true));
    }
    TRY_ASSIGN(const auto subscribed, store.subscriptions());
    const Mailbox inbox = store.mailbox("INBOX").value();
    TRY(LineLog(*inbox.environment().fs, store.root() + "/subscriptions")
            .replace(format_dovecot_subscriptions(subscribed)));
    return count;
}

}  // namespace postern::mailbox
