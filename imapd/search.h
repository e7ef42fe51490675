// SEARCH: which messages of a View match a tree of keys. Cheap keys are asked first, so that files
// are opened only for messages that flags, dates and sizes have not ruled out.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "imapd/message_source.h"
#include "lib/base/result.h"
#include "lib/fulltext/index.h"
#include "lib/imap/search_key.h"
#include "lib/mailbox/mailbox.h"

namespace postern::imapd {

// What a search for text may use, and what it found out.
struct TextIndex {
    std::optional<fulltext::Index> index;
    mailbox::Uid covered = 0;     // messages after that are read
    std::uint32_t unindexed = 0;  // how often one was
};

// Called now and then: how many messages were looked at, and of how many. False: enough.
using SearchProgress = std::function<bool(std::size_t, std::size_t)>;

struct SearchScope {
    const std::vector<std::uint32_t>* among = nullptr;  // only these; null: all messages
    const SearchProgress* progress = nullptr;
    TextIndex* index = nullptr;  // null: messages are read for their text
};

// Sequence numbers in ascending order. The key's texts must be converted (imap::convert_texts).
// Messages that other sessions have expunged, or that cannot be read (MessageSource::passes_over),
// match nothing that needs their text. Errc::closed: `progress` has ended it.
Result<std::vector<std::uint32_t>> search(mailbox::View& view, MessageSource& source,
                                          imap::SearchKey key, const SearchScope& scope = {});

// RFC 6203 4: how well each of the messages found fits the key's FUZZY texts, from 1 to 100, in the
// order of their numbers.
using Relevancies = std::map<std::uint32_t, int>;
Result<Relevancies> relevancies(mailbox::View& view, MessageSource& source,
                                const imap::SearchKey& key, std::vector<std::uint32_t> found,
                                TextIndex* index = nullptr);

}  // namespace postern::imapd
