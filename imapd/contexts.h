// Searches that go on: SEARCH and SORT with RETURN (UPDATE), RFC 5267. Whenever the view has
// changed, each is told which messages joined and left its result. A session has none until it asks
// for one.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "imapd/message_source.h"
#include "lib/base/result.h"
#include "lib/imap/search_arguments.h"
#include "lib/imap/search_key.h"
#include "lib/mailbox/mailbox.h"

namespace postern::imapd {

struct SearchContext {
    std::string tag;
    std::string correlator;  // of its responses: TAG "B01"
    bool uid = false;
    std::vector<imap::FetchItem> new_items;  // to tell of new messages that join
    imap::SearchKey key;                     // converted, without sequence numbers
    std::vector<imap::SortKey> order;        // of SORT; empty: SEARCH
    std::vector<mailbox::Uid> found;         // in its order
};

class SearchContexts {
  public:
    static constexpr std::size_t kMax = 10;  // each costs a search whenever something happens

    explicit SearchContexts(const mailbox::View& view) : modseq_(view.highest_modseq()) {}

    // False: there are too many.
    bool add(SearchContext context);
    void cancel(std::string_view tag);
    bool has(std::string_view tag) const;
    bool empty() const { return contexts_.empty(); }

    // ESEARCH responses with REMOVEFROM for messages that are gone, to be said before the EXPUNGEs:
    // `before` are the UIDs of the view as the client still knows it.
    std::string without(const std::vector<mailbox::Uid>& gone,
                        const std::vector<mailbox::Uid>& before);
    // The same, and ADDTO, for messages that are new or have other flags. Which items of messages
    // from `first_new` on are to be told before (RFC 5465 7).
    struct Update {
        std::string lines;
        std::map<mailbox::Uid, std::vector<imap::FetchItem>> items;
    };
    Result<Update> update(mailbox::View& view, MessageSource& source, mailbox::Uid first_new);

  private:
    std::vector<SearchContext> contexts_;
    std::uint64_t modseq_;  // up to which changes are told
};

// Adds those that are not among them.
void join_items(std::vector<imap::FetchItem>& items, const std::vector<imap::FetchItem>& more);

// Sequence numbers in a key become UIDs: they would mean other messages later.
void fix_numbers(imap::SearchKey& key, const mailbox::View& view);

}  // namespace postern::imapd
