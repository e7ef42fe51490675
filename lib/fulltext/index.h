// The full-text index of one mailbox folder: which messages may contain a text. It is a Xapian
// database (one document a message, its number the UID) beside a list of all words, in the folder
// `postern.fts`. It wins for nothing and may be deleted: it covers the messages up to some UID, and
// SEARCH reads those after it. doc/decisions/full-text-search.md has the reasons.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "lib/base/result.h"

namespace postern::fulltext {

// Where a word stands. RFC 9051 6.4.4: BODY looks into bodies only, TEXT into header fields too.
enum class Place : unsigned char { header, body };

// The words of one message. Of more than kMaxDistinctWords nothing is kept but that they are many.
class MessageWords {
  public:
    static constexpr std::size_t kMaxDistinctWords = 100'000;

    void add(Place place, std::string_view folded);
    // Its text cannot be known in advance: every search reads the message.
    void give_up() {
        words_.clear();
        given_up_ = true;
    }

    bool given_up() const { return given_up_; }
    // With the letter of the place in front; how often.
    const std::unordered_map<std::string, std::uint32_t>& words() const { return words_; }

  private:
    std::unordered_map<std::string, std::uint32_t> words_;
    bool given_up_ = false;
};

// UIDs in ascending order. Messages that were expunged may be among them.
struct Candidates {
    std::vector<std::uint32_t> sure;   // they contain the text
    std::vector<std::uint32_t> maybe;  // they have its words
};

class Index {
  public:
    // Nothing: there is none for a folder with this UIDVALIDITY.
    static Result<std::optional<Index>> open(const std::string& folder, std::uint32_t uid_validity);
    Index(Index&&) noexcept;
    Index& operator=(Index&&) noexcept;
    ~Index();

    // Messages up to this UID are in it.
    std::uint32_t covered() const;
    // Which of those may contain a folded text. Nothing: too many, or it has no word. Errors
    // (Errc::temporary: a writer was too quick for us) are a reason to read the messages.
    Result<std::optional<Candidates>> find(std::string_view folded, bool with_header) const;

  private:
    struct State;
    explicit Index(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

// What is added is seen by others, and durable, after commit(). Without it, it is as if it had not
// been added.
class IndexWriter {
  public:
    // Begins a new index where there is none, where it is another folder's or damaged, and where
    // most of it is about messages that are gone (the folder has `messages`). Nothing: another
    // process writes.
    static Result<std::optional<IndexWriter>> open(const std::string& folder,
                                                   std::uint32_t uid_validity,
                                                   std::uint32_t messages);
    IndexWriter(IndexWriter&&) noexcept;
    IndexWriter& operator=(IndexWriter&&) noexcept;
    ~IndexWriter();

    std::uint32_t covered() const;
    // Precondition: uid is above those before it and above covered().
    Result<void> add(std::uint32_t uid, const MessageWords& words);
    // Whether so much waits for commit() that memory is better freed.
    bool is_full() const;
    // From here on messages up to this UID count as covered.
    Result<void> commit(std::uint32_t covered);

  private:
    struct State;
    explicit IndexWriter(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

// Where a folder's index is.
std::string index_path(const std::string& folder);

}  // namespace postern::fulltext
