// Quota: how much a user's mail may take, and how much it takes: the file maildirsize of Maildir++
// (http://www.inter7.com/courierimap/README.maildirquota.html), which Courier and Dovecot keep too.
// Its first line is the rule, each other one adds a size and a number of messages; who adds or
// removes messages appends a line, without a lock. It is a sum kept for quickness and no truth:
// where it says "full", has grown long, or belongs to another rule, the folders are counted anew.
// It is changed in place, never replaced: sessions of others, whom the owner lets into a folder,
// may be allowed this one file of his Maildir (doc/decisions/shared-folders.md). Unlike Courier,
// and like Dovecot, all folders count, the trash and deleted messages too.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/result.h"
#include "lib/mailbox/folder_lock.h"
#include "lib/sys/fs.h"

namespace postern::mailbox {

class FolderFs;

struct QuotaLimits {
    std::uint64_t storage = 0;   // bytes; 0: no limit
    std::uint64_t messages = 0;  // 0: no limit
    bool any() const { return storage != 0 || messages != 0; }
    bool operator==(const QuotaLimits&) const = default;
};

// Dovecot's form: "*:storage=100M:messages=1000", also without "*:"; "bytes=", "ignore" and an
// empty rule are known; units B, k, M, G, T; a bare number of storage is kilobytes.
Result<QuotaLimits> parse_quota_rule(std::string_view rule);

// The same; a rule that makes no sense is logged, and is no limit: mail is not lost for it.
QuotaLimits limits_or_none(std::string_view rule, std::string_view user);

struct QuotaUsage {
    std::int64_t storage = 0;
    std::int64_t messages = 0;
    bool operator==(const QuotaUsage&) const = default;
};

// The limits that the first line of a maildirsize says, "1000000S,1000C". Nothing for anything
// else.
std::optional<QuotaLimits> parse_maildirsize_head(std::string_view line);

class Quota {
  public:
    // `root`: of the Maildir, which need not exist yet.
    Quota(sys::Fs& fs, const Clock& clock, std::string root, QuotaLimits limits)
        : Quota(fs, clock, std::move(root), limits, Of::self) {}
    // For sessions of others. What the file system does not let them read or write keeps them from
    // nothing: the owner's next count finds what they did, and the log says that it was not noted.
    static Quota of_other(sys::Fs& fs, const Clock& clock, std::string root, QuotaLimits limits) {
        return {fs, clock, std::move(root), limits, Of::other};
    }
    // The same for a tree of folders that is nobody's own. Its limits are what its maildirsize
    // says, none where there is no such file.
    static Quota of_tree(sys::Fs& fs, const Clock& clock, std::string root) {
        return {fs, clock, std::move(root), {}, Of::tree};
    }

    const std::string& root() const { return root_; }
    QuotaLimits limits() const { return rule().limits; }

    // What the file says; counted where it says nothing fit for use.
    Result<QuotaUsage> usage() const;
    // The same, but nothing where it would have to be counted.
    std::optional<QuotaUsage> known() const;
    // Counts all folders and writes the file anew.
    Result<QuotaUsage> recount() const;

    // Is there room for as much more? Counts before it says no. The error has Errc::no_space and
    // EDQUOT, and a text fit for the user.
    Result<void> check(std::uint64_t bytes, std::uint64_t messages) const;

    // For who adds messages now: others wait until the turn is over, and see what came of it.
    // Nothing where there are no limits.
    Result<std::optional<FolderLock>> take_turn(Millis patience = Seconds{30}) const;
    // The same, where there is room for so much: check().
    Result<std::optional<FolderLock>> take_turn(std::uint64_t bytes, std::uint64_t messages) const;

    // That much came (or, negative, went). A failure is not one of the caller's: the
    // file is marked, so that the next one counts.
    void add(std::int64_t bytes, std::int64_t messages) const;
    // The same where it is not known how much.
    void forget() const;

    // How full, in per cent of the limit that is nearer; 0 without limits.
    unsigned percent(const QuotaUsage& usage) const;

  private:
    enum class Of : unsigned char { self, other, tree };
    struct Rule {
        QuotaLimits limits;
        std::string head;  // the first line of the file that is this rule's
    };
    Quota(sys::Fs& fs, const Clock& clock, std::string root, QuotaLimits limits, Of of)
        : fs_(&fs), clock_(&clock), root_(std::move(root)), limits_(limits), of_(of) {}

    std::string path() const;
    Rule rule() const;
    Rule rule_of_tree() const;
    bool is_passed_over(const Error& error) const;
    Result<void> may_make(const FolderFs& fs, const std::string& file) const;
    Result<QuotaUsage> read(const Rule& rule, bool& is_fresh) const;
    Result<QuotaUsage> recount(const Rule& rule) const;
    Result<QuotaUsage> usage_for(const Rule& rule, std::uint64_t bytes,
                                 std::uint64_t messages) const;
    Result<void> write_sum(const Rule& rule, const QuotaUsage& sum) const;

    sys::Fs* fs_;
    const Clock* clock_;
    std::string root_;
    QuotaLimits limits_;
    Of of_;
};

// A message came into a folder of a Maildir++ that is known by its path only: it counts in the
// maildirsize of that Maildir, where there is one, as Maildir++ has it.
void count_by_path(sys::Fs& fs, const Clock& clock, const std::string& folder, std::uint64_t bytes);

// What a Quota writes in the Maildir at `root`. Who may not make files there later has them made
// before. A file that would not be the owner's to use is not made: his own sessions would fail.
std::vector<std::string> quota_files(const std::string& root);
void make_quota_files(const std::string& root, sys::Fs& fs = sys::RealFs::instance());

// The size of the message file of this name: as the name says, or its file.
Result<std::uint64_t> message_size(sys::Fs& fs, const std::string& path);

}  // namespace postern::mailbox
