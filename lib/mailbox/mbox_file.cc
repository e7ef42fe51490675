#include "lib/mailbox/mbox_file.h"

#include <fcntl.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "lib/base/crc32c.h"
#include "lib/base/encode.h"
#include "lib/base/strings.h"
#include "lib/crypto/digest.h"

namespace postern::mailbox {
namespace {

constexpr std::size_t kReadAtOnce = 1U << 20;
constexpr std::size_t kPiece = 256 * 1024;  // of a journal
constexpr char kJournalMagic[8] = {'P', 'S', 'T', 'N', 'M', 'B', 'X', '1'};

// What a journal begins with. Pieces follow, each an offset (8 bytes), a size (8), the new bytes
// and as many of the old ones as the file has there; then CRC-32Cs of the pieces and the head.
struct JournalHead {
    char magic[8];
    std::uint64_t old_size, new_size;
    std::uint64_t first;        // offset of the first byte that changes
    std::uint32_t before_crc;   // of the bytes before it
    std::uint32_t dropped_crc;  // of the old bytes behind new_size
};
static_assert(sizeof(JournalHead) == 40);

template <class T>
std::string_view bytes_of(const T& value) {
    return {reinterpret_cast<const char*>(&value), sizeof value};
}

template <class T>
std::optional<T> value_of(std::string_view bytes) {
    if (bytes.size() != sizeof(T)) return std::nullopt;
    T value;
    std::memcpy(&value, bytes.data(), sizeof value);
    return value;
}

// Calls step(bytes) with the file's bytes from..to, in pieces.
template <class Step>
Result<void> each_piece(sys::Fs& fs, int fd, std::uint64_t from, std::uint64_t to, Step step) {
    while (from < to) {
        const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(to - from, kPiece));
        TRY_ASSIGN(const std::string bytes, fs.read_at(fd, from, want));
        if (bytes.empty()) return Error{Errc::temporary, "mailbox file became shorter", 0};
        TRY(step(std::string_view(bytes)));
        from += bytes.size();
    }
    return {};
}

Result<std::uint32_t> crc_of(sys::Fs& fs, int fd, std::uint64_t from, std::uint64_t to) {
    std::uint32_t crc = 0;
    TRY(each_piece(fs, fd, from, to, [&](std::string_view bytes) -> Result<void> {
        crc = crc32c(bytes, crc);
        return {};
    }));
    return crc;
}

std::string folder_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

// --- Writing a journal

class JournalWriter {
  public:
    JournalWriter(sys::Fs& fs, std::string path) : fs_(fs), path_(std::move(path)) {}
    ~JournalWriter() {
        if (file_) (void)fs_.unlink(path_ + ".new").has_value();
    }
    JournalWriter(const JournalWriter&) = delete;
    JournalWriter& operator=(const JournalWriter&) = delete;

    Result<void> begin() {
        TRY_ASSIGN(file_, fs_.open(path_ + ".new", O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600));
        return fs_.write(file_.get(), std::string(sizeof(JournalHead), '\0'));
    }
    Result<void> piece(std::uint64_t offset, std::string_view bytes, std::string_view old) {
        const std::uint64_t size = bytes.size();
        const std::string out = cat({bytes_of(offset), bytes_of(size), bytes, old});
        crc_ = crc32c(out, crc_);
        return fs_.write(file_.get(), out);
    }
    // From now on the change will happen.
    Result<void> commit(const JournalHead& head) {
        const std::uint32_t head_crc = crc32c(bytes_of(head));
        TRY(fs_.write(file_.get(), cat({bytes_of(crc_), bytes_of(head_crc)})));
        TRY(fs_.write_at(file_.get(), 0, bytes_of(head)));
        TRY(fs_.sync(file_.get()));
        TRY(fs_.rename(path_ + ".new", path_));
        file_.reset();
        return fs_.sync_directory(folder_of(path_));
    }

  private:
    sys::Fs& fs_;
    std::string path_;
    Fd file_;
    std::uint32_t crc_ = 0;
};

// --- Reading one

struct Journal {
    Fd file;
    JournalHead head{};
    struct Piece {
        std::uint64_t offset, size, at;  // at: where its bytes are in the journal
        std::uint64_t old_size;          // of the old ones, behind those
    };
    std::vector<Piece> pieces;
};

// Nothing: there is none that is whole.
Result<std::optional<Journal>> read_journal(sys::Fs& fs, const std::string& path) {
    std::optional<Journal> none;
    auto opened = fs.open(path, O_RDONLY | O_NOFOLLOW, 0);
    if (!opened && opened.error().code == Errc::not_found) return none;
    if (!opened) return std::move(opened).error();
    Journal journal;
    journal.file = std::move(*opened);
    const int fd = journal.file.get();
    TRY_ASSIGN(const auto info, fs.info(fd));
    constexpr std::uint64_t kTrailer = 8;
    if (info.size < sizeof(JournalHead) + kTrailer) return none;
    TRY_ASSIGN(const std::string head_bytes, fs.read_at(fd, 0, sizeof(JournalHead)));
    const auto head = value_of<JournalHead>(head_bytes);
    const std::uint64_t end = info.size - kTrailer;
    TRY_ASSIGN(const std::string trailer, fs.read_at(fd, end, kTrailer));
    TRY_ASSIGN(const std::uint32_t crc, crc_of(fs, fd, sizeof(JournalHead), end));
    const std::uint32_t head_crc = crc32c(head_bytes);
    if (!head || std::memcmp(head->magic, kJournalMagic, sizeof kJournalMagic) != 0 ||
        trailer != cat({bytes_of(crc), bytes_of(head_crc)}))
        return none;
    journal.head = *head;
    for (std::uint64_t at = sizeof(JournalHead); at < end;) {
        TRY_ASSIGN(const std::string numbers, fs.read_at(fd, at, 16));
        if (numbers.size() != 16) return none;
        const auto offset = value_of<std::uint64_t>(std::string_view(numbers).substr(0, 8));
        const auto size = value_of<std::uint64_t>(std::string_view(numbers).substr(8));
        if (!offset || !size || *size > kPiece || *size == 0) return none;
        const std::uint64_t old_size =
            *offset < head->old_size ? std::min(*size, head->old_size - *offset) : 0;
        if (end - at < 16 + *size + old_size) return none;
        journal.pieces.push_back({*offset, *size, at + 16, old_size});
        at += 16 + *size + old_size;
    }
    return std::optional(std::move(journal));
}

// The part of each piece between two offsets of the mailbox file.
template <class Step>
Result<void> each_part(sys::Fs& fs, const Journal& journal, std::uint64_t from, std::uint64_t to,
                       Step step) {
    for (const auto& piece : journal.pieces) {
        const std::uint64_t begin = std::max(piece.offset, from);
        const std::uint64_t end = std::min(piece.offset + piece.size, to);
        if (begin >= end) continue;
        TRY_ASSIGN(const std::string bytes,
                   fs.read_at(journal.file.get(), piece.at + (begin - piece.offset),
                              static_cast<std::size_t>(end - begin)));
        TRY(step(begin, std::string_view(bytes)));
    }
    return {};
}

Result<void> write_parts(sys::Fs& fs, int fd, const Journal& journal, std::uint64_t from,
                         std::uint64_t to) {
    return each_part(fs, journal, from, to, [&](std::uint64_t offset, std::string_view bytes) {
        return fs.write_at(fd, offset, bytes);
    });
}

// First what needs new space on the disk, for that may fail: until it is there, nothing of the old
// file is touched.
Result<void> carry_out(sys::Fs& fs, int fd, const Journal& journal) {
    const auto& head = journal.head;
    if (head.new_size > head.old_size) {
        TRY(write_parts(fs, fd, journal, head.old_size, UINT64_MAX));
        TRY(fs.sync(fd));
    }
    TRY(write_parts(fs, fd, journal, 0, head.old_size));
    TRY(fs.sync(fd));
    if (head.new_size >= head.old_size) return {};
    TRY(fs.truncate(fd, head.new_size));
    return fs.sync(fd);
}

Result<void> forget_journal(sys::Fs& fs, const std::string& path) {
    TRY(fs.unlink(path));
    return fs.sync_directory(folder_of(path));
}

// --- Recovery

// How many bytes of the file, from old_size on, are the journal's (or zero, not written yet).
Result<std::uint64_t> grown_by(sys::Fs& fs, int fd, const Journal& journal, std::uint64_t size) {
    std::uint64_t good = journal.head.old_size;
    bool whole = true;
    TRY(each_part(fs, journal, good, size,
                  [&](std::uint64_t offset, std::string_view want) -> Result<void> {
                      if (!whole || offset != good) return {};
                      TRY_ASSIGN(const std::string have, fs.read_at(fd, offset, want.size()));
                      std::size_t i = 0;
                      while (i < have.size() && (have[i] == want[i] || have[i] == '\0')) ++i;
                      good += i;
                      whole = i == want.size();
                      return {};
                  }));
    return good;
}

// Is every byte that the change is about as it was, as it shall be, or zero? Otherwise somebody
// else has written it.
Result<bool> is_torn_only(sys::Fs& fs, int fd, const Journal& journal) {
    for (const auto& piece : journal.pieces) {
        const auto old_size = static_cast<std::size_t>(piece.old_size);
        TRY_ASSIGN(const std::string want, fs.read_at(journal.file.get(), piece.at, old_size));
        TRY_ASSIGN(const std::string old,
                   fs.read_at(journal.file.get(), piece.at + piece.size, old_size));
        TRY_ASSIGN(const std::string have, fs.read_at(fd, piece.offset, old_size));
        for (std::size_t i = 0; i < have.size(); ++i)
            if (have[i] != want[i] && have[i] != old[i] && have[i] != '\0') return false;
    }
    return true;
}

// What others added since, as far as it can be told apart; nothing: the file is not the one that
// the journal is about any more.
Result<std::optional<std::uint64_t>> additions_begin(sys::Fs& fs, int fd, const Journal& journal,
                                                     const sys::FileInfo& info) {
    const auto& head = journal.head;
    std::optional<std::uint64_t> unknown;
    if (info.size < std::min(head.old_size, head.new_size)) return unknown;
    TRY_ASSIGN(const std::uint32_t before, crc_of(fs, fd, 0, head.first));
    TRY_ASSIGN(const bool ours, is_torn_only(fs, fd, journal));
    if (before != head.before_crc || !ours) return unknown;
    std::uint64_t at = head.new_size;
    if (head.new_size >= head.old_size) {
        TRY_ASSIGN(at, grown_by(fs, fd, journal, std::min(info.size, head.new_size)));
    } else if (info.size >= head.old_size) {
        TRY_ASSIGN(const std::uint32_t crc, crc_of(fs, fd, head.new_size, head.old_size));
        if (crc == head.dropped_crc) at = head.old_size;
    }
    if (at >= info.size) return std::optional(info.size);
    // The change may not have got to the disk at all: then they are where the old file ended.
    for (const std::uint64_t begin : {at, head.old_size}) {
        TRY_ASSIGN(const std::string bytes, fs.read_at(fd, begin, 5));
        if (bytes == "From ") return std::optional(begin);
    }
    return unknown;
}

}  // namespace

std::string mbox_hash(std::string_view text) {
    // Fields that programs change or add are no part of a message.
    constexpr std::string_view kChanging[] = {"Content-Length", "Lines",     "Status",
                                              "X-Status",       "X-UID",     "X-Keywords",
                                              "X-IMAP",         "X-IMAPbase"};
    std::string same;
    same.reserve(text.size());
    bool header = true, skipping = false;
    while (!text.empty()) {
        const auto end = text.find('\n');
        std::string_view line = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (line.empty()) header = false;
        if (header && !line.starts_with(' ') && !line.starts_with('\t')) {
            const auto name = trim(line.substr(0, line.find(':')));
            skipping = std::any_of(std::begin(kChanging), std::end(kChanging),
                                   [&](std::string_view field) { return iequals(name, field); });
        }
        if (header && skipping) continue;
        same.append(line);
        same += '\n';
    }
    return hex_encode(crypto::digest(crypto::Digest::sha256, same).substr(0, 16));
}

namespace {

Result<MboxEntry> entry_of(std::string_view text, std::uint64_t offset, const MboxVisit& each) {
    MboxEntry entry;
    entry.offset = offset;
    entry.size = text.size();
    entry.header_size = header_size_of(text);
    MboxReader reader(text);
    auto message = reader.next();
    if (!message) return Error{Errc::corrupt, "not an mbox", 0};
    entry.hash = mbox_hash(message->text);
    entry.internal = message->internal && offset == 0;
    entry.date = message->date;
    entry.fields = {message->flags, message->keywords, message->uid, message->base};
    if (each && !entry.internal) TRY(each(entry, *message));
    return entry;
}

}  // namespace

Result<std::vector<MboxEntry>> read_mbox(sys::Fs& fs, int fd, const MboxVisit& each) {
    std::vector<MboxEntry> entries;
    std::string buffer;
    std::uint64_t offset = 0;  // of the buffer's first byte
    std::size_t searched = 0;
    for (bool end = false; !end;) {
        TRY_ASSIGN(const std::string bytes, fs.read_at(fd, offset + buffer.size(), kReadAtOnce));
        end = bytes.empty();
        buffer += bytes;
        if (entries.empty() && offset == 0 && !buffer.empty() && !buffer.starts_with("From "))
            return Error{Errc::corrupt, "not an mbox", 0};
        std::size_t begin = 0;
        for (auto next = find_next_message(buffer, searched); next != std::string::npos;
             next = find_next_message(buffer, begin)) {
            TRY_ASSIGN(MboxEntry entry,
                       entry_of(std::string_view(buffer).substr(begin, next - begin),
                                offset + begin, each));
            entries.push_back(std::move(entry));
            begin = next;
        }
        buffer.erase(0, begin);
        offset += begin;
        searched = buffer.size() < 8 ? 0 : buffer.size() - 8;
        if (buffer.size() > kLargestMboxMessage)
            return Error{Errc::corrupt, "a message in the mbox is too large", 0};
    }
    if (buffer.empty()) return entries;
    TRY_ASSIGN(MboxEntry last, entry_of(buffer, offset, each));
    entries.push_back(std::move(last));
    return entries;
}

Result<MboxMessage> read_mbox_message(sys::Fs& fs, int fd, const MboxEntry& entry) {
    TRY_ASSIGN(const std::string text,
               fs.read_at(fd, entry.offset, static_cast<std::size_t>(entry.size)));
    auto message = MboxReader(text).next();
    if (!message) return Error{Errc::temporary, "mailbox file changed meanwhile", 0};
    return *std::move(message);
}

namespace {

// Writes down what changes: runs of the new file that differ in place or content from the old one.
class Rewrite {
  public:
    Rewrite(sys::Fs& fs, int fd, JournalWriter& journal, std::uint64_t old_size)
        : fs_(fs), fd_(fd), journal_(journal), old_size_(old_size) {}

    std::uint64_t end() const { return end_; }
    std::uint64_t first() const { return first_; }
    bool nothing() const { return first_ == UINT64_MAX && end_ == old_size_; }

    Result<void> keep(std::uint64_t from, std::uint64_t to) {
        if (from == end_) {
            end_ = to;
            return {};
        }
        return each_piece(fs_, fd_, from, to, [&](std::string_view bytes) { return put(bytes); });
    }
    Result<void> put(std::string_view bytes) {
        while (!bytes.empty()) {
            const auto piece = bytes.substr(0, kPiece);
            first_ = std::min(first_, end_);
            TRY_ASSIGN(const std::string old, fs_.read_at(fd_, end_, piece.size()));
            TRY(journal_.piece(end_, piece, old));
            end_ += piece.size();
            bytes.remove_prefix(piece.size());
        }
        return {};
    }

  private:
    sys::Fs& fs_;
    int fd_;
    JournalWriter& journal_;
    std::uint64_t old_size_;
    std::uint64_t end_ = 0, first_ = UINT64_MAX;
};

}  // namespace

Result<void> rewrite_mbox(sys::Fs& fs, int fd, const std::string& journal,
                          const std::vector<MboxEntry>& entries, const std::vector<MboxEdit>& edits,
                          const MboxAdditions& additions) {
    TRY_ASSIGN(const auto info, fs.info(fd));
    JournalWriter writer(fs, journal);
    TRY(writer.begin());
    Rewrite rewrite(fs, fd, writer, info.size);
    bool separated = true;  // by an empty line, as the next message wants it
    for (std::size_t i = 0; i < entries.size(); ++i) {
        const MboxEntry& entry = entries[i];
        if (edits[i].remove) continue;
        const std::uint64_t body = entry.offset + entry.header_size;
        const std::uint64_t end = entry.offset + entry.size;
        if (edits[i].header.empty()) {
            TRY(rewrite.keep(entry.offset, body));
        } else {
            TRY(rewrite.put(edits[i].header));
        }
        TRY(rewrite.keep(body, end));
        separated = end < info.size;
        if (!separated) {
            TRY_ASSIGN(const std::string tail, fs.read_at(fd, end - 2, 2));
            separated = tail == "\n\n";
            // Something may follow, here or from others.
            if (!separated) TRY(rewrite.put(tail.ends_with('\n') ? "\n" : "\n\n"));
        }
    }
    for (const auto& addition : additions) {
        TRY_ASSIGN(const std::string text, addition());
        TRY(rewrite.put(text));
    }
    if (rewrite.nothing()) return {};
    JournalHead head{};
    std::memcpy(head.magic, kJournalMagic, sizeof kJournalMagic);
    head.old_size = info.size;
    head.new_size = rewrite.end();
    head.first = std::min({rewrite.first(), head.new_size, head.old_size});
    TRY_ASSIGN(head.before_crc, crc_of(fs, fd, 0, head.first));
    TRY_ASSIGN(head.dropped_crc, crc_of(fs, fd, head.new_size, head.old_size));
    TRY(writer.commit(head));
    TRY_ASSIGN(const auto written, read_journal(fs, journal));
    if (!written) return Error{Errc::corrupt, journal + ": cannot be read back", 0};
    if (auto done = carry_out(fs, fd, *written); !done) {
        // A full disk: nothing of what was there has changed yet.
        const bool full = done.error().code == Errc::no_space && head.new_size > head.old_size;
        if (full && fs.truncate(fd, head.old_size) && fs.sync(fd))
            (void)forget_journal(fs, journal).has_value();
        return done;
    }
    return forget_journal(fs, journal);
}

Result<MboxRecovery> recover_mbox(sys::Fs& fs, int fd, const std::string& journal) {
    TRY_ASSIGN(const auto found, read_journal(fs, journal));
    if (!found) {
        // One that is not whole was never acted upon.
        auto gone = fs.unlink(journal);
        if (!gone && gone.error().code != Errc::not_found) return std::move(gone).error();
        return MboxRecovery::none;
    }
    TRY_ASSIGN(const auto info, fs.info(fd));
    TRY_ASSIGN(const auto begin, additions_begin(fs, fd, *found, info));
    if (!begin) {
        TRY(forget_journal(fs, journal));
        return MboxRecovery::given_up;
    }
    std::string added;
    if (info.size - *begin > kLargestMboxMessage)
        return Error{Errc::corrupt, "too much was added to a mailbox file that must be mended", 0};
    TRY(each_piece(fs, fd, *begin, info.size, [&](std::string_view bytes) -> Result<void> {
        added += bytes;
        return {};
    }));
    const std::uint64_t end = found->head.new_size;
    // What others added goes to its place first, so that it is nowhere missing.
    if (!added.empty() && *begin != end) {
        TRY(fs.write_at(fd, end, added));
        TRY(fs.sync(fd));
    }
    TRY(write_parts(fs, fd, *found, 0, UINT64_MAX));
    TRY(fs.sync(fd));
    if (end + added.size() < info.size) {
        TRY(fs.truncate(fd, end + added.size()));
        TRY(fs.sync(fd));
    }
    TRY(forget_journal(fs, journal));
    return MboxRecovery::done;
}

}  // namespace postern::mailbox
