#include "commands/imap_import.h"

#include <algorithm>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <span>

#include "lib/base/strings.h"
#include "lib/imap/mailbox_name.h"
#include "lib/imap/response.h"
#include "lib/mail/date.h"
#include "lib/mailbox/line_log.h"

namespace postern::commands {
namespace {

using imap::ServerResponse;
using imap::Value;

constexpr std::size_t kMaxFolders = 20'000;
constexpr std::size_t kMaxFetched = 5'000'000;  // messages of a folder
constexpr std::size_t kBatchMessages = 200;
constexpr std::size_t kBatchBytes = 16 << 20;
// UIDs that are left free here for what still comes there, until that server is left for good: mail
// that comes here meanwhile must not get one of them.
constexpr mailbox::Uid kReserved = 10'000;
constexpr std::size_t kUidsTold = 10;

struct RemoteFolder {
    std::string name, local;
    bool selectable = true;
};

struct RemoteMessage {
    mailbox::Uid uid = 0;
    std::uint64_t size = 0;
    mailbox::SystemFlags flags = 0;
    std::vector<std::string> keywords;
    std::int64_t date = 0;
};

struct RemoteStatus {
    std::uint32_t validity = 0;
    mailbox::Uid next = 0;
    std::optional<std::uint32_t> exists;
};

// A literal is never needed: what cannot be quoted cannot be a name on the wire.
Result<std::string> quoted_name(const std::string& name) {
    auto quoted = imap::quoted_string(name);
    if (!quoted) return Error{Errc::corrupt, "a folder's name is not ASCII", 0};
    return *std::move(quoted);
}

template <class T>
T number_of(const Value* value) {
    return value == nullptr ? T{0} : parse_number<T>(value->text).value_or(T{0});
}

// As Maildirs have it. "\r\r\n" stays, or it could not be told from "\r\n" when it is read.
std::string with_lf(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool ends = text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n';
        if (!ends || (i > 0 && text[i - 1] == '\r')) out += text[i];
    }
    return out;
}

std::optional<RemoteMessage> message_of(const ServerResponse& response) {
    if (response.label != "FETCH" || response.values.empty()) return std::nullopt;
    const auto& items = response.values[0].items;
    RemoteMessage out;
    out.uid = number_of<mailbox::Uid>(imap::find_value(items, "UID"));
    out.size = number_of<std::uint64_t>(imap::find_value(items, "RFC822.SIZE"));
    if (const Value* date = imap::find_value(items, "INTERNALDATE"))
        if (const auto when = mail::parse_internal_date(date->text)) out.date = when->seconds;
    const Value* flags = imap::find_value(items, "FLAGS");
    if (out.uid == 0 || flags == nullptr) return std::nullopt;  // a change that nobody asked for
    for (const Value& flag : flags->items) {
        if (const auto bit = mailbox::system_flag(flag.text))
            out.flags = static_cast<mailbox::SystemFlags>(out.flags | *bit);
        else if (mailbox::is_keyword(flag.text))
            out.keywords.push_back(flag.text);
    }
    return out;
}

// postern.imported: how far it went with each folder of other servers that came into this one.
//   postern-imported 2
//   <UIDVALIDITY there> <last UID from there> <UIDNEXT here then> <origin>/<folder>
// What is here with UIDs from that UIDNEXT on may be a batch that an interruption left without its
// mark. Version 1 had no UIDNEXT.
class ImportMark {
  public:
    ImportMark(const mailbox::Mailbox& box, std::string from, std::uint32_t validity)
        : log_(*box.environment().fs, box.path() + "/postern.imported"),
          from_(std::move(from)),
          validity_(validity) {}

    Result<void> read() {
        const auto on_header = [this](std::string_view header) {
            has_next_ = header != "postern-imported 1";
        };
        auto known = log_.refresh({on_header, [this](std::string_view line) { on_line(line); }});
        return known ? Result<void>() : Result<void>(Error(known.error()));
    }
    mailbox::Uid last() const { return last_; }
    mailbox::Uid next() const { return next_; }  // 0: not known
    Result<void> move_to(mailbox::Uid last, mailbox::Uid next) {
        last_ = last;
        next_ = next;
        return log_.replace(
            cat({"postern-imported 2\n", others_, std::to_string(validity_), " ",
                 std::to_string(last_), " ", std::to_string(next_), " ", from_, "\n"}));
    }

  private:
    void on_line(std::string_view line) {
        std::string_view fields[] = {"", "", "0"};
        for (std::size_t i = 0; i < (has_next_ ? 3U : 2U); ++i) {
            const auto parts = split_once(line, ' ');
            if (!parts) return;
            fields[i] = parts->first;
            line = parts->second;
        }
        if (line != from_) {
            others_ += cat({fields[0], " ", fields[1], " ", fields[2], " ", line, "\n"});
        } else if (parse_number<std::uint32_t>(fields[0]) == validity_) {
            last_ = parse_number<mailbox::Uid>(fields[1]).value_or(0);
            next_ = parse_number<mailbox::Uid>(fields[2]).value_or(0);
        }
    }

    mailbox::LineLog log_;
    std::string from_;
    std::uint32_t validity_;
    std::string others_;
    bool has_next_ = true;
    mailbox::Uid last_ = 0, next_ = 0;
};

// Messages that came here since the mark was written.
class Newcomers {
  public:
    static Result<Newcomers> of(const mailbox::Mailbox& box, mailbox::Uid from) {
        Newcomers out;
        TRY_ASSIGN(out.view_, box.open(mailbox::Access::read_only));
        for (auto seq = out.view_->seq_at_or_after(from); seq <= out.view_->count(); ++seq)
            if (const auto size = out.view_->crlf_size(seq)) out.by_size_.emplace(*size, seq);
        return out;
    }
    // The UID of one with this text, which is not found again; 0: there is none.
    Result<mailbox::Uid> take(const std::string& text) {
        auto [at, end] = by_size_.equal_range(mailbox::to_crlf(text).size());
        for (; at != end; ++at) {
            const auto here = view_->read(at->second);
            if (!here && !mailbox::is_only_its_own(here.error())) return Error(here.error());
            if (!here || *here != text) continue;
            const mailbox::Uid uid = view_->message(at->second).uid;
            by_size_.erase(at);
            return uid;
        }
        return mailbox::Uid{0};
    }

  private:
    std::unique_ptr<mailbox::View> view_;
    std::multimap<std::uint64_t, std::uint32_t> by_size_;  // sequence numbers
};

// One folder's messages. Where the folder has the other server's UIDVALIDITY, clients may know its
// messages by their UIDs, so that none of those may ever be another message's here. Local mail that
// comes during an import has taken some: messages that cannot have theirs come last, with UIDs
// above all of that server's, and so does at the end what has one that is not its own.
class FolderImport {
  public:
    FolderImport(ImapSource& source, const mailbox::Mailbox& box, const RemoteStatus& remote,
                 ImportMark& mark, const mailbox::MailboxStatus& here)
        : source_(source),
          box_(box),
          remote_(remote),
          mark_(mark),
          keeps_(remote.validity != 0 && here.uid_validity == remote.validity),
          start_(mark.next() != 0 ? mark.next() : here.next_uid),
          begin_(here.next_uid),
          next_(here.next_uid) {}

    Result<void> run() {
        if (mark_.next() == 0) TRY(mark_.move_to(mark_.last(), start_));
        TRY_ASSIGN(newcomers_, Newcomers::of(box_, start_));
        std::vector<RemoteMessage> listed;
        if (remote_.exists != 0U) {
            TRY_ASSIGN(listed, list_messages("1:*"));
        }
        const std::size_t all = listed.size();
        std::erase_if(listed, [this](const auto& m) { return m.uid <= mark_.last(); });
        present = all - listed.size();
        const mailbox::Uid last = listed.empty() ? mark_.last() : listed.back().uid;
        end_there_ = std::max(remote_.next, last + 1);
        TRY(fetch(listed, keeps_));
        if (keeps_) TRY(leave_their_uids());
        return mark_.move_to(last, keeps_ ? end_there_ : next_);
    }

    std::string told() const {
        std::string line = cat({std::to_string(messages), " messages"});
        if (present != 0) line += cat({", ", std::to_string(present), " were here"});
        if (renumbered != 0) line += cat({", ", std::to_string(renumbered), " with new UIDs"});
        if (moved != 0)
            line += cat({", ", std::to_string(moved), " that came meanwhile have other UIDs now"});
        for (std::size_t i = 0; i < withheld.size() && i < kUidsTold; ++i)
            line += cat(
                {i == 0 ? ", NOT given by the server: UID " : ", ", std::to_string(withheld[i])});
        if (withheld.size() > kUidsTold)
            line += cat({" and ", std::to_string(withheld.size() - kUidsTold), " more"});
        return line;
    }

    std::size_t messages = 0, present = 0, renumbered = 0, moved = 0;
    std::vector<mailbox::Uid> withheld;

  private:
    using Texts = std::map<mailbox::Uid, std::string>;

    Result<std::vector<RemoteMessage>> list_messages(const std::string& set) {
        std::vector<RemoteMessage> out;
        TRY(source_.run(cat({"UID FETCH ", set, " (UID FLAGS INTERNALDATE RFC822.SIZE)"}),
                        [&out](const ServerResponse& r) -> Result<void> {
                            if (auto one = message_of(r)) out.push_back(*std::move(one));
                            if (out.size() <= kMaxFetched) return {};
                            return Error{Errc::corrupt, "too many messages", 0};
                        }));
        std::sort(out.begin(), out.end(),
                  [](const RemoteMessage& a, const RemoteMessage& b) { return a.uid < b.uid; });
        out.erase(std::unique(out.begin(), out.end(),
                              [](const auto& a, const auto& b) { return a.uid == b.uid; }),
                  out.end());
        return out;
    }

    // In order, in batches; with `keeping` those whose UIDs are used up are left for later, and the
    // mark follows as long as there are none.
    Result<void> fetch(std::span<const RemoteMessage> all, bool keeping) {
        for (std::size_t at = 0; at < all.size();) {
            std::vector<RemoteMessage> batch;
            std::uint64_t bytes = 0;
            for (; at < all.size() && batch.size() < kBatchMessages; ++at) {
                if (keeping && all[at].uid < next_) {
                    late_.push_back(all[at]);
                    continue;
                }
                bytes += all[at].size;
                if (!batch.empty() && bytes > kBatchBytes) break;
                batch.push_back(all[at]);
            }
            if (!batch.empty()) TRY(fetch_batch(batch, keeping));
            if (late_.empty()) TRY(mark_.move_to(all[at - 1].uid, next_));
        }
        return {};
    }

    Result<void> fetch_batch(std::span<const RemoteMessage> batch, bool keeping) {
        TRY_ASSIGN(const Texts texts, fetch_texts(batch));
        TRY(note_withheld(batch, texts));
        std::vector<mailbox::AppendMessage> fresh;
        std::vector<mailbox::Uid> uids;
        for (const RemoteMessage& message : batch) {
            const auto text = texts.find(message.uid);
            if (text == texts.end()) continue;
            TRY_ASSIGN(const mailbox::Uid here, newcomers_.take(text->second));
            if (here == message.uid) kept_.push_back(here);
            if (here != 0) ++present;
            if (here != 0) continue;
            fresh.push_back({[&content = text->second](mailbox::MessageWriter& writer) {
                                 return writer.write(content);
                             },
                             message.flags, message.keywords, message.date,
                             keeping ? message.uid : 0});
            uids.push_back(message.uid);
        }
        if (fresh.empty()) return {};
        TRY_ASSIGN(const auto appended, box_.append(fresh));
        for (std::size_t i = 0; i < uids.size(); ++i) {
            if (keeping && appended.uids[i] == uids[i])
                kept_.push_back(uids[i]);
            else
                ++renumbered;
        }
        messages += uids.size();
        next_ = appended.uids.back() + 1;
        return {};
    }

    Result<Texts> fetch_texts(std::span<const RemoteMessage> batch) {
        std::string set;
        for (const RemoteMessage& message : batch) add_to_set(set, message.uid);
        Texts texts;
        TRY(source_.run(cat({"UID FETCH ", set, " (UID BODY.PEEK[])"}),
                        [&texts](const ServerResponse& r) -> Result<void> {
                            if (r.label != "FETCH" || r.values.empty()) return {};
                            const auto& items = r.values[0].items;
                            const auto uid =
                                number_of<mailbox::Uid>(imap::find_value(items, "UID"));
                            const Value* text = imap::find_value(items, "BODY[]");
                            if (uid != 0 && text != nullptr && text->is_text())
                                texts[uid] = with_lf(text->text);
                            return {};
                        }));
        return texts;
    }

    // What has no text now was expunged meanwhile, or is still there and cannot be had.
    Result<void> note_withheld(std::span<const RemoteMessage> batch, const Texts& texts) {
        std::string set;
        std::vector<mailbox::Uid> without;
        for (const RemoteMessage& message : batch) {
            if (texts.contains(message.uid)) continue;
            add_to_set(set, message.uid);
            without.push_back(message.uid);
        }
        if (set.empty()) return {};
        TRY_ASSIGN(const auto still_there, list_messages(set));
        for (const RemoteMessage& message : still_there)
            if (std::binary_search(without.begin(), without.end(), message.uid))
                withheld.push_back(message.uid);
        return {};
    }

    static void add_to_set(std::string& set, mailbox::Uid uid) {
        set += (set.empty() ? "" : ",") + std::to_string(uid);
    }

    Result<void> leave_their_uids() {
        constexpr auto kLargest = std::numeric_limits<mailbox::Uid>::max() - kReserved;
        const mailbox::Uid free = end_there_ < kLargest ? end_there_ + kReserved : end_there_;
        if (end_there_ > 1) TRY(box_.raise_next_uid(free));
        TRY(fetch(late_, false));
        // Before there were any left free here, others may have got the next ones too.
        return move_others(begin_ < end_there_ ? free : end_there_);
    }

    // What came here during the import, or since the last one, and has a UID of the other server's.
    Result<void> move_others(mailbox::Uid below) {
        std::sort(kept_.begin(), kept_.end());
        TRY_ASSIGN(const auto view, box_.open(mailbox::Access::read_write));
        std::vector<std::uint32_t> others;
        for (auto seq = view->seq_at_or_after(start_); seq <= view->count(); ++seq) {
            const mailbox::Uid uid = view->message(seq).uid;
            if (uid >= below) break;
            if (!std::binary_search(kept_.begin(), kept_.end(), uid)) others.push_back(seq);
        }
        if (others.empty()) return {};
        mailbox::CopyTerms terms;
        terms.moving = true;
        TRY(view->copy(others, box_, terms));
        TRY(view->expunge(others));
        moved = others.size();
        return {};
    }

    ImapSource& source_;
    const mailbox::Mailbox& box_;
    const RemoteStatus& remote_;
    ImportMark& mark_;
    const bool keeps_;
    const mailbox::Uid start_;    // what is here from it on came since the mark was written
    const mailbox::Uid begin_;    // the next UID here when the import began
    mailbox::Uid next_;           // UIDs below cannot be given here any more
    mailbox::Uid end_there_ = 0;  // the other server's UIDs are below
    Newcomers newcomers_;
    std::vector<mailbox::Uid> kept_;
    std::vector<RemoteMessage> late_;
};

class Importer {
  public:
    Importer(mailbox::Store& store, ImapSource& source, const std::string& origin,
             const std::function<void(const std::string&)>& say)
        : store_(store), source_(source), origin_(origin), say_(say) {}

    Result<ImapImported> run() {
        TRY(learn_namespace());
        TRY(list("LIST", folders_));
        for (const RemoteFolder& folder : folders_)
            if (folder.selectable) TRY(import_folder(folder));
        std::vector<RemoteFolder> subscribed;
        TRY(list("LSUB", subscribed));
        for (const RemoteFolder& folder : subscribed)
            if (!folder.local.empty()) TRY(store_.subscribe(folder.local));
        return done_;
    }

  private:
    // RFC 2342: the prefix of one's own folders, and those of others', which stay there.
    Result<void> learn_namespace() {
        if (!source_.can("NAMESPACE")) return {};
        return source_.run("NAMESPACE", [this](const ServerResponse& response) -> Result<void> {
            if (response.label != "NAMESPACE" || response.values.size() < 3) return {};
            const auto& own = response.values[0].items;
            if (!own.empty() && !own[0].items.empty()) prefix_ = own[0].items[0].text;
            for (std::size_t i = 1; i < 3; ++i)
                for (const Value& space : response.values[i].items)
                    if (!space.items.empty() && !space.items[0].text.empty())
                        others_.push_back(space.items[0].text);
            return {};
        });
    }

    bool is_of_others(std::string_view name) const {
        return std::any_of(others_.begin(), others_.end(),
                           [&](const std::string& prefix) { return name.starts_with(prefix); });
    }

    Result<void> list(const std::string& verb, std::vector<RemoteFolder>& out) {
        return source_.run(verb + " \"\" \"*\"", [&](const ServerResponse& r) -> Result<void> {
            if (r.label != verb || r.values.size() < 3) return {};
            RemoteFolder folder;
            folder.name = r.values[2].text;
            if (is_of_others(folder.name)) return {};
            for (const Value& attribute : r.values[0].items)
                if (iequals(attribute.text, "\\Noselect") ||
                    iequals(attribute.text, "\\NonExistent"))
                    folder.selectable = false;
            folder.local = local_folder_name(folder.name, prefix_, r.values[1].text);
            if (folder.local.empty() && folder.selectable && verb == "LIST")
                say_(cat({printable(folder.name, 200), ": left out, its name cannot be had here"}));
            if (folder.local.empty()) return {};
            out.push_back(std::move(folder));
            if (out.size() > kMaxFolders) return Error{Errc::corrupt, "too many folders", 0};
            return {};
        });
    }

    Result<void> import_folder(const RemoteFolder& folder) {
        TRY_ASSIGN(const RemoteStatus remote, examine(folder));
        if (!store_.exists(folder.local)) TRY(store_.create(folder.local));
        TRY_ASSIGN(const mailbox::Mailbox box, store_.mailbox(folder.local));
        TRY(box.begin_numbers(remote.validity));
        TRY_ASSIGN(const auto here, box.status());
        ImportMark mark(box, cat({origin_, "/", folder.name}), remote.validity);
        TRY(mark.read());
        FolderImport import(source_, box, remote, mark, here);
        TRY(import.run());
        ++done_.folders;
        done_.messages += import.messages;
        done_.present += import.present;
        done_.renumbered += import.renumbered;
        done_.withheld += import.withheld.size();
        say_(cat({folder.local, ": ", import.told()}));
        return {};
    }

    Result<RemoteStatus> examine(const RemoteFolder& folder) {
        RemoteStatus out;
        TRY_ASSIGN(const std::string name, quoted_name(folder.name));
        TRY(source_.run("EXAMINE " + name, [&out](const ServerResponse& r) -> Result<void> {
            if (r.label == "EXISTS") out.exists = r.number;
            const auto words = split_words(r.code, " ");
            if (words.size() != 2) return {};
            const auto number = parse_number<std::uint32_t>(words[1]).value_or(0);
            if (iequals(words[0], "UIDVALIDITY")) out.validity = number;
            if (iequals(words[0], "UIDNEXT")) out.next = number;
            return {};
        }));
        return out;
    }

    mailbox::Store& store_;
    ImapSource& source_;
    const std::string& origin_;
    const std::function<void(const std::string&)>& say_;
    std::string prefix_;
    std::vector<std::string> others_;
    std::vector<RemoteFolder> folders_;
    ImapImported done_;
};

}  // namespace

std::string local_folder_name(std::string_view name, std::string_view prefix,
                              std::string_view separator) {
    if (iequals(name, "INBOX")) return "INBOX";
    if (!prefix.empty() && name.size() > prefix.size() && istarts_with(name, prefix))
        name.remove_prefix(prefix.size());
    std::string out;
    for (const char c : name) {
        if (separator.size() == 1 && c == separator[0])
            out += mailbox::kSeparator;
        else if (c == mailbox::kSeparator || c == '/')
            out += '_';  // which are no letters of names here
        else
            out += c;
    }
    return mailbox::Store::canonical(out).value_or("");
}

Result<ImapImported> import_imap(mailbox::Store& store, ImapSource& source,
                                 const std::string& origin,
                                 const std::function<void(const std::string&)>& say) {
    return Importer(store, source, origin, say).run();
}

}  // namespace postern::commands
