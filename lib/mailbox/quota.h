// Quota: how much a user's mail may take, and how much it takes: the file maildirsize of Maildir++
// (http://www.inter7.com/courierimap/README.maildirquota.html), which Courier and Dovecot keep too.
// Its first line is the rule, each other one adds a size and a number of messages; who adds or
// removes messages appends a line, without a lock. It is a sum kept for quickness and no truth:
// where it says "full", has grown long, or belongs to another rule, the folders are counted anew.
// Unlike Courier, and like Dovecot, all folders count, the trash and deleted messages too.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/clock.h"
#include "lib/base/result.h"
#include "lib/mailbox/folder_lock.h"
#include "lib/sys/fs.h"

namespace postern::mailbox {

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

class Quota {
  public:
    // `root`: of the Maildir, which need not exist yet.
    Quota(sys::Fs& fs, const Clock& clock, std::string root, QuotaLimits limits)
        : fs_(&fs), clock_(&clock), root_(std::move(root)), limits_(limits) {}

    const QuotaLimits& limits() const { return limits_; }

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

    // That much came (or, negative, went). A failure is not one of the caller's: the file is
    // removed, so that the next one counts.
    void add(std::int64_t bytes, std::int64_t messages) const;
    // The same where it is not known how much.
    void forget() const;

    // How full, in per cent of the limit that is nearer; 0 without limits.
    unsigned percent(const QuotaUsage& usage) const;

  private:
    std::string path() const { return root_ + "/maildirsize"; }
    std::string first_line() const;
    bool fits(const QuotaUsage& usage, std::uint64_t bytes, std::uint64_t messages) const;
    Result<QuotaUsage> read(bool& is_fresh) const;

    sys::Fs* fs_;
    const Clock* clock_;
    std::string root_;
    QuotaLimits limits_;
};

// The size of the message file of this name: as the name says, or its file.
Result<std::uint64_t> message_size(sys::Fs& fs, const std::string& path);

}  // namespace postern::mailbox
