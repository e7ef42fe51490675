#include "commands/imap_import.h"

#include <algorithm>
#include <map>
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

// postern.imported: "<UIDVALIDITY> <last UID> <origin>/<folder>" a line, of each folder of other
// servers that came into this one.
class ImportMark {
  public:
    ImportMark(const mailbox::Mailbox& box, std::string from, std::uint32_t validity)
        : log_(*box.environment().fs, box.path() + "/postern.imported"),
          from_(std::move(from)),
          validity_(validity) {}

    Result<void> read() {
        const auto on_line = [this](std::string_view line) {
            const auto first = split_once(line, ' ');
            const auto second = first ? split_once(first->second, ' ') : std::nullopt;
            if (!second) return;
            if (second->second != from_)
                others_ += cat({line, "\n"});
            else if (parse_number<std::uint32_t>(first->first) == validity_)
                last_ = parse_number<mailbox::Uid>(second->first).value_or(0);
        };
        auto known = log_.refresh({[](std::string_view) {}, on_line});
        return known ? Result<void>() : Result<void>(Error(known.error()));
    }
    mailbox::Uid last() const { return last_; }
    Result<void> move_to(mailbox::Uid last) {
        last_ = last;
        return log_.replace(cat({"postern-imported 1\n", others_, std::to_string(validity_), " ",
                                 std::to_string(last_), " ", from_, "\n"}));
    }

  private:
    mailbox::LineLog log_;
    std::string from_;
    std::uint32_t validity_;
    std::string others_;
    mailbox::Uid last_ = 0;
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
        const bool keeps = remote.validity != 0 && here.uid_validity == remote.validity;
        ImportMark mark(box, cat({origin_, "/", folder.name}), remote.validity);
        TRY(mark.read());
        TRY_ASSIGN(auto messages, list_messages());
        const std::size_t all = messages.size();
        std::erase_if(messages, [&](const RemoteMessage& m) { return m.uid <= mark.last(); });
        TRY_ASSIGN(const std::size_t renumbered, fetch(box, messages, keeps, mark));
        if (keeps && remote.next > 1) TRY(box.raise_next_uid(remote.next));
        ++done_.folders;
        done_.messages += messages.size();
        done_.present += all - messages.size();
        done_.renumbered += renumbered;
        std::string line = cat({folder.local, ": ", std::to_string(messages.size()), " messages"});
        if (all != messages.size())
            line += cat({", ", std::to_string(all - messages.size()), " were here"});
        if (renumbered != 0) line += cat({", ", std::to_string(renumbered), " with new UIDs"});
        say_(line);
        return {};
    }

    Result<RemoteStatus> examine(const RemoteFolder& folder) {
        RemoteStatus out;
        TRY_ASSIGN(const std::string name, quoted_name(folder.name));
        TRY(source_.run("EXAMINE " + name, [&out](const ServerResponse& r) -> Result<void> {
            const auto words = split_words(r.code, " ");
            if (words.size() != 2) return {};
            const auto number = parse_number<std::uint32_t>(words[1]).value_or(0);
            if (iequals(words[0], "UIDVALIDITY")) out.validity = number;
            if (iequals(words[0], "UIDNEXT")) out.next = number;
            return {};
        }));
        return out;
    }

    Result<std::vector<RemoteMessage>> list_messages() {
        std::vector<RemoteMessage> out;
        // An empty folder may say BAD to 1:* in some servers: nothing is in it then.
        auto done = source_.run("UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)",
                                [&out](const ServerResponse& r) -> Result<void> {
                                    if (auto one = message_of(r)) out.push_back(*std::move(one));
                                    if (out.size() <= kMaxFetched) return {};
                                    return Error{Errc::corrupt, "too many messages", 0};
                                });
        if (!done && !(done.error().code == Errc::denied && out.empty())) return done.error();
        std::sort(out.begin(), out.end(),
                  [](const RemoteMessage& a, const RemoteMessage& b) { return a.uid < b.uid; });
        out.erase(std::unique(out.begin(), out.end(),
                              [](const auto& a, const auto& b) { return a.uid == b.uid; }),
                  out.end());
        return out;
    }

    // How many got other UIDs than they had.
    Result<std::size_t> fetch(const mailbox::Mailbox& box,
                              const std::vector<RemoteMessage>& messages, bool keeps,
                              ImportMark& mark) {
        std::size_t renumbered = 0;
        for (std::size_t at = 0; at < messages.size();) {
            std::size_t end = at;
            for (std::uint64_t bytes = 0; end < messages.size() && end - at < kBatchMessages;
                 ++end) {
                bytes += messages[end].size;
                if (end > at && bytes > kBatchBytes) break;
            }
            TRY_ASSIGN(const std::size_t some,
                       fetch_batch(box, std::span(messages).subspan(at, end - at), keeps));
            TRY(mark.move_to(messages[end - 1].uid));
            renumbered += some;
            at = end;
        }
        return renumbered;
    }

    Result<std::size_t> fetch_batch(const mailbox::Mailbox& box,
                                    std::span<const RemoteMessage> messages, bool keeps) {
        std::string set;
        for (const RemoteMessage& message : messages)
            set += (set.empty() ? "" : ",") + std::to_string(message.uid);
        std::map<mailbox::Uid, std::string> texts;
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
        std::vector<mailbox::AppendMessage> batch;
        std::vector<mailbox::Uid> uids;
        for (const RemoteMessage& message : messages) {
            const auto text = texts.find(message.uid);
            if (text == texts.end()) continue;  // expunged meanwhile
            batch.push_back({[&content = text->second](mailbox::MessageWriter& writer) {
                                 return writer.write(content);
                             },
                             message.flags, message.keywords, message.date,
                             keeps ? message.uid : 0});
            uids.push_back(message.uid);
        }
        if (batch.empty()) return std::size_t{0};
        TRY_ASSIGN(const auto appended, box.append(batch));
        std::size_t renumbered = 0;
        for (std::size_t i = 0; i < uids.size(); ++i)
            if (!keeps || appended.uids[i] != uids[i]) ++renumbered;
        return renumbered;
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
