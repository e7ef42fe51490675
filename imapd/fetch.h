// FETCH: writes the asked-for items of messages, one message at a time, straight to the client.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "imapd/connection.h"
#include "imapd/message_source.h"
#include "lib/imap/fetch_item.h"
#include "lib/mailbox/mailbox.h"

namespace postern::imapd {

// How flags that a FETCH changes are told, and whether \Recent is.
struct FetchStyle {
    bool modseq = false;    // RFC 7162 3.1
    bool recent = true;     // not with IMAP4rev2
    bool uid_only = false;  // RFC 9586: UIDFETCH
};

class Fetcher {
  public:
    Fetcher(mailbox::View& view, MessageSource& source, Output& out, FetchStyle style)
        : view_(view), source_(source), out_(out), style_(style) {}

    // What became of it: whether messages were left out because other sessions had expunged them.
    struct Outcome {
        bool some_missing = false;
        bool unknown_encoding = false;  // of a part asked for with BINARY
    };
    Result<Outcome> run(std::span<const std::uint32_t> seqs,
                        const std::vector<imap::FetchItem>& items);

  private:
    // Everything of one message that can fail, fetched before the first byte of its response.
    struct Prepared {
        std::uint64_t size = 0;
        std::int64_t date = 0;
        std::int64_t save_date = 0;
        std::string thread_id;
        std::string_view text;  // header or all, as far as needed
        const mail::MimePart* structure = nullptr;
        bool flags_changed = false;
        bool unknown_encoding = false;
        // Instead of text and structure, where it suffices.
        bool summarized = false;
        mailbox::CachedMessage summary;
        // Owns what summary shows, when it was not in the cache. Stays where it is: short texts
        // would move with us, and away from under their views.
        std::unique_ptr<const mailbox::Summary> made;
    };
    bool suffices(const mailbox::CachedMessage& summary,
                  const std::vector<imap::FetchItem>& items) const;
    Result<bool> prepare_summary(std::uint32_t seq, const std::vector<imap::FetchItem>& items,
                                 Prepared& out);
    Result<void> prepare_text(std::uint32_t seq, const std::vector<imap::FetchItem>& items,
                              Prepared& out);
    Result<Prepared> prepare(std::uint32_t seq, const std::vector<imap::FetchItem>& items);
    bool set_seen(std::uint32_t seq, const std::vector<imap::FetchItem>& items);
    void write(std::uint32_t seq, const Prepared& prepared,
               const std::vector<imap::FetchItem>& items);
    void write_item(std::uint32_t seq, const Prepared& prepared, const imap::FetchItem& item);
    void write_section(const Prepared& prepared, const imap::FetchItem& item);
    void write_binary(const Prepared& prepared, const imap::FetchItem& item);
    void write_binary_size(const Prepared& prepared, const imap::FetchItem& item);
    static void append_preview(std::string& out, const Prepared& prepared);
    std::string flags_of(std::uint32_t seq) const;

    mailbox::View& view_;
    MessageSource& source_;
    Output& out_;
    FetchStyle style_;
};

// RFC 2045 6: a transfer encoding whose inverse is known.
bool is_known_encoding(std::string_view name);

// The bytes of a section; nothing where the message has no such part. `structure` may be null when
// the path is empty; `text` need only hold the header when nothing but the header is asked for.
struct SectionBytes {
    bool found = false;
    std::string_view bytes;
    std::string made;  // owns the bytes of HEADER.FIELDS
    std::string_view view() const { return made.empty() ? bytes : std::string_view(made); }
};
SectionBytes section_bytes(const imap::Section& section, std::string_view text,
                           const mail::MimePart* structure);

}  // namespace postern::imapd
