#include "lib/fulltext/index.h"

#include <fcntl.h>
#include <xapian.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <unordered_set>

#include "lib/base/fd.h"
#include "lib/base/strings.h"
#include "lib/sys/fs.h"
#include "lib/sys/mapped_file.h"

#include "lib/fulltext/words.h"

namespace postern::fulltext {
namespace {

using Uids = std::vector<std::uint32_t>;

constexpr char kHeader = 'H', kBody = 'B';
constexpr const char* kManyWords = "U";  // the term of messages whose words were given up
constexpr const char* kHead = "postern";
constexpr const char* kVersion = "2";  // 1: words were folded in other ways
// A text that more words or messages than these may be about is better looked for in the messages.
constexpr std::size_t kMaxTerms = 5'000;
constexpr std::size_t kMaxPostings = 5'000'000;
// Postings that wait for commit(): about 100 MB of memory at the most.
constexpr std::size_t kFullAt = 1'000'000;
constexpr mode_t kFolderMode = 0700, kFileMode = 0600;
constexpr std::uint32_t kStaleAtLeast = 1'000;

// What the database says of itself.
struct Head {
    std::uint32_t uid_validity = 0;
    std::uint32_t covered = 0;
    std::uint64_t words_size = 0;  // as much of the list of words belongs to it

    std::string str() const {
        return cat({kVersion, " ", std::to_string(uid_validity), " ", std::to_string(covered), " ",
                    std::to_string(words_size)});
    }
};

// Nothing: written by another version, or by nobody.
std::optional<Head> parse_head(std::string_view text) {
    const auto parts = split(text, ' ');
    if (parts.size() != 4 || parts[0] != kVersion) return std::nullopt;
    const auto validity = parse_number<std::uint32_t>(parts[1]);
    const auto covered = parse_number<std::uint32_t>(parts[2]);
    const auto size = parse_number<std::uint64_t>(parts[3]);
    if (!validity || !covered || !size) return std::nullopt;
    return Head{*validity, *covered, *size};
}

std::string words_path(const std::string& path) { return path + "/words"; }

Error failure(const std::string& path, const Xapian::Error& error) {
    return {Errc::temporary,
            cat({"full-text index ", path, ": ", error.get_type(), ": ", error.get_msg()})};
}

// Xapian tells of failures by exceptions; they end here.
template <typename Work>
auto guarded(const std::string& path, Work work) -> decltype(work()) {
    try {
        return work();
    } catch (const Xapian::Error& error) {
        return failure(path, error);
    }
}

Result<void> remove_index(const std::string& path) {
    sys::Fs& fs = sys::RealFs::instance();
    const auto info = fs.info(path);
    if (info && info->kind != sys::FileInfo::Kind::directory)  // a link leads to somebody's mail
        return Error{Errc::denied, path + ": not a directory", 0};
    auto entries = fs.list(path);
    if (!entries && entries.error().code == Errc::not_found) return {};
    if (!entries) return std::move(entries).error();
    for (const auto& entry : *entries) TRY(fs.unlink(cat({path, "/", entry.name})));
    return fs.remove_directory(path);
}

// The words of the list that fit, as terms. Nothing: too many.
std::optional<std::vector<std::string>> terms_of(const WordPattern& pattern, std::string_view list,
                                                 bool with_header) {
    std::vector<std::string> terms;
    if (!pattern.open_left && !pattern.open_right) {
        terms.push_back(kBody + pattern.text);
        if (with_header) terms.push_back(kHeader + pattern.text);
        return terms;
    }
    for (std::size_t from = 0; from < list.size();) {
        const void* hit = ::memmem(list.data() + from, list.size() - from, pattern.text.data(),
                                   pattern.text.size());
        if (hit == nullptr) break;
        const auto at = static_cast<std::size_t>(static_cast<const char*>(hit) - list.data());
        const std::size_t begin = list.rfind('\n', at) + 1;
        const std::size_t end = std::min(list.find('\n', at), list.size());
        const std::string_view term = list.substr(begin, end - begin);
        if ((with_header || term.front() == kBody) && fits(pattern, term.substr(1)))
            terms.emplace_back(term);
        if (terms.size() > kMaxTerms) return std::nullopt;
        from = end + 1;
    }
    return terms;
}

// Messages with any of the terms. Nothing: too many to be worth it.
std::optional<Uids> messages_with(const Xapian::Database& db,
                                  const std::vector<std::string>& terms) {
    Uids found;
    for (const std::string& term : terms) {
        for (auto at = db.postlist_begin(term); at != db.postlist_end(term); ++at)
            found.push_back(*at);
        if (found.size() > kMaxPostings) return std::nullopt;
    }
    if (terms.size() > 1) {
        std::sort(found.begin(), found.end());
        found.erase(std::unique(found.begin(), found.end()), found.end());
    }
    return found;
}

Uids in_both(const Uids& a, const Uids& b) {
    Uids out;
    std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(out));
    return out;
}

Uids in_either(const Uids& a, const Uids& b) {
    Uids out;
    std::set_union(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(out));
    return out;
}

}  // namespace

std::string index_path(const std::string& folder) { return folder + "/postern.fts"; }

void MessageWords::add(Place place, std::string_view folded) {
    if (given_up_) return;
    std::string key;
    for_each_word(folded, [&](std::string_view word) {
        key.assign(1, place == Place::header ? kHeader : kBody);
        key += word;
        ++words_[key];
    });
    if (words_.size() > kMaxDistinctWords) give_up();
}

// --- Index

struct Index::State {
    std::string path;
    Head head;
    Xapian::Database db;
    sys::MappedFile words;
};

Index::Index(std::unique_ptr<State> state) : state_(std::move(state)) {}
Index::Index(Index&&) noexcept = default;
Index& Index::operator=(Index&&) noexcept = default;
Index::~Index() = default;

std::uint32_t Index::covered() const { return state_->head.covered; }

Result<std::optional<Index>> Index::open(const std::string& folder, std::uint32_t uid_validity) {
    const std::string path = index_path(folder);
    sys::Fs& fs = sys::RealFs::instance();
    auto file = fs.open(words_path(path), O_RDONLY | O_NOFOLLOW);
    if (!file && file.error().code == Errc::not_found) return std::optional<Index>();
    if (!file) return std::move(file).error();
    return guarded(path, [&]() -> Result<std::optional<Index>> {
        auto state = std::make_unique<State>();
        state->path = path;
        state->db = Xapian::Database(path);
        const auto head = parse_head(state->db.get_metadata(kHead));
        if (!head || head->uid_validity != uid_validity) return std::optional<Index>();
        TRY_ASSIGN(const sys::FileInfo info, fs.info(file->get()));
        if (info.size < head->words_size)
            return Error{Errc::corrupt, cat({"full-text index ", path, ": words are missing"})};
        state->head = *head;
        TRY_ASSIGN(state->words,
                   sys::MappedFile::map(file->get(), static_cast<std::size_t>(head->words_size)));
        return std::optional<Index>(Index(std::move(state)));
    });
}

Result<std::optional<Candidates>> Index::find(std::string_view folded, bool with_header) const {
    const Pattern pattern = pattern_of(folded);
    return guarded(state_->path, [&]() -> Result<std::optional<Candidates>> {
        std::optional<Uids> found;
        bool all_asked = true;
        for (const WordPattern& word : pattern.words) {
            const auto terms = terms_of(word, state_->words.bytes(), with_header);
            const auto messages = terms ? messages_with(state_->db, *terms) : std::nullopt;
            all_asked = all_asked && messages;
            if (messages) found = found ? in_both(*found, *messages) : *messages;
        }
        if (!found) return std::optional<Candidates>();
        Candidates candidates;
        (pattern.exact && all_asked ? candidates.sure : candidates.maybe) = *std::move(found);
        candidates.maybe = in_either(candidates.maybe, *messages_with(state_->db, {kManyWords}));
        return std::optional(std::move(candidates));
    });
}

// --- IndexWriter

struct IndexWriter::State {
    std::string path;
    Head head;
    Xapian::WritableDatabase db;
    Fd words;
    std::string new_words;
    std::unordered_set<std::string> asked;  // terms of which it is known that the list has them
    std::size_t postings = 0;               // since the last commit
};

IndexWriter::IndexWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
IndexWriter::IndexWriter(IndexWriter&&) noexcept = default;
IndexWriter& IndexWriter::operator=(IndexWriter&&) noexcept = default;
IndexWriter::~IndexWriter() = default;

std::uint32_t IndexWriter::covered() const { return state_->head.covered; }
bool IndexWriter::is_full() const { return state_->postings >= kFullAt; }

namespace {

// What could be opened of an index: one to go on with, or (head: nothing) one to begin again.
struct Opened {
    Xapian::WritableDatabase db;
    Fd words;
    std::optional<Head> head;
};

// Errc::denied: another process writes.
Result<Opened> open_for_writing(const std::string& path) {
    sys::Fs& fs = sys::RealFs::instance();
    const auto made = fs.make_directory(path, kFolderMode);
    if (!made && made.error().sys != EEXIST) return std::move(made).error();
    Opened opened;
    try {
        opened.db =
            Xapian::WritableDatabase(path, Xapian::DB_CREATE_OR_OPEN | Xapian::DB_NO_TERMLIST);
        opened.head = parse_head(opened.db.get_metadata(kHead));
        opened.db.begin_transaction();  // without one, what is left at the end would be committed
    } catch (const Xapian::DatabaseLockError& error) {
        return Error{Errc::denied, error.get_msg()};
    } catch (const Xapian::Error& error) {
        return Error{Errc::corrupt, failure(path, error).what};
    }
    TRY_ASSIGN(opened.words, fs.open(words_path(path), O_RDWR | O_CREAT | O_NOFOLLOW, kFileMode));
    return opened;
}

// Not with an index of another folder, or one that lost its words; nor is it worth it where most of
// it is about messages that are gone.
Result<bool> can_go_on(const Result<Opened>& opened, std::uint32_t uid_validity,
                       std::uint32_t messages) {
    if (!opened || !opened->head || opened->head->uid_validity != uid_validity) return false;
    TRY_ASSIGN(const sys::FileInfo info, sys::RealFs::instance().info(opened->words.get()));
    return info.size >= opened->head->words_size &&
           opened->db.get_doccount() <= 2 * std::uint64_t{messages} + kStaleAtLeast;
}

}  // namespace

Result<std::optional<IndexWriter>> IndexWriter::open(const std::string& folder,
                                                     std::uint32_t uid_validity,
                                                     std::uint32_t messages) {
    const std::string path = index_path(folder);
    auto opened = open_for_writing(path);
    TRY_ASSIGN(const bool goes_on, can_go_on(opened, uid_validity, messages));
    if (!goes_on && (opened || opened.error().code == Errc::corrupt)) {
        opened = Error{Errc::corrupt, "begun again"};  // which closes it
        TRY(remove_index(path));
        opened = open_for_writing(path);
    }
    if (!opened && opened.error().code == Errc::denied) return std::optional<IndexWriter>();
    if (!opened) return std::move(opened).error();
    auto state = std::make_unique<State>();
    state->path = path;
    state->head = goes_on ? *opened->head : Head{uid_validity, 0, 0};
    state->db = std::move(opened->db);
    state->words = std::move(opened->words);
    TRY(sys::RealFs::instance().truncate(state->words.get(), state->head.words_size));
    return std::optional<IndexWriter>(IndexWriter(std::move(state)));
}

Result<void> IndexWriter::add(std::uint32_t uid, const MessageWords& words) {
    State& s = *state_;
    return guarded(s.path, [&]() -> Result<void> {
        Xapian::Document document;
        if (words.given_up()) document.add_term(kManyWords);
        for (const auto& [term, count] : words.words()) {
            document.add_term(term, count);
            if (s.asked.insert(term).second && !s.db.term_exists(term)) {
                s.new_words += term;
                s.new_words += '\n';
            }
        }
        s.db.replace_document(uid, document);
        s.postings += words.words().size() + 1;
        return {};
    });
}

// The words first: that the list has words of which no message is known does no harm.
Result<void> IndexWriter::commit(std::uint32_t covered) {
    State& s = *state_;
    sys::Fs& fs = sys::RealFs::instance();
    TRY(fs.write_at(s.words.get(), s.head.words_size, s.new_words));
    TRY(fs.sync(s.words.get()));
    Head head = s.head;
    head.covered = covered;
    head.words_size += s.new_words.size();
    TRY(guarded(s.path, [&]() -> Result<void> {
        s.db.set_metadata(kHead, head.str());
        s.db.commit_transaction();
        s.db.begin_transaction();
        return {};
    }));
    s.head = head;
    s.new_words.clear();
    s.asked.clear();
    s.postings = 0;
    return {};
}

}  // namespace postern::fulltext
