#include "lib/mailbox/private_seen.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/mailbox/folder_lock.h"

namespace postern::mailbox {
namespace {

constexpr std::string_view kSeenMagic = "postern-seen";
constexpr std::size_t kManyChanges = 1000;  // then the file is written anew
constexpr std::uint32_t kMaxUid = std::numeric_limits<std::uint32_t>::max();
// RFC 7162 1: mod-sequences have 63 bits; the sum of two from here stays within them.
constexpr std::uint64_t kMaxNumber = std::uint64_t{1} << 61;

std::string text_of(std::span<const UidRange> ranges) {
    std::string out;
    for (const UidRange& range : ranges) {
        if (!out.empty()) out += ',';
        out += std::to_string(range.first);
        if (range.last != range.first) out += ':' + std::to_string(range.last);
    }
    return out;
}

std::optional<std::uint64_t> number_of(std::string_view text) {
    const auto number = parse_number<std::uint64_t>(text);
    return number && *number <= kMaxNumber ? number : std::nullopt;
}

// Nothing for what text_of() does not write.
std::vector<UidRange> ranges_of(std::string_view text) {
    std::vector<UidRange> out;
    for (const std::string_view part : split(text, ',')) {
        const auto ends = split_once(part, ':');
        const auto first = parse_number<std::uint32_t>(ends ? ends->first : part);
        const auto last = ends ? parse_number<std::uint32_t>(ends->second) : first;
        if (!first || !last || *first == 0 || *last < *first) return {};
        out.push_back({*first, *last});
    }
    return out;
}

}  // namespace

PrivateSeen::PrivateSeen(sys::Fs& fs, std::string file)
    : fs_(&fs), file_(std::move(file)), log_(fs, file_) {}

PrivateSeen::Mark PrivateSeen::mark_of(std::uint32_t uid) const {
    const auto next = marks_.upper_bound(uid);
    return next == marks_.begin() ? Mark{} : std::prev(next)->second;
}

void PrivateSeen::assign(UidRange uids, Mark mark) {
    const Mark after = uids.last == kMaxUid ? Mark{} : mark_of(uids.last + 1);
    marks_.erase(marks_.lower_bound(uids.first), marks_.upper_bound(uids.last));
    marks_[uids.first] = mark;
    if (uids.last != kMaxUid) marks_.try_emplace(uids.last + 1, after);
}

// "postern-seen 1 <changes before>"
void PrivateSeen::on_header(std::string_view header) {
    // What is behind the first may be other than it was.
    const auto first = std::find_if(marks_.begin(), marks_.end(),
                                    [](const auto& mark) { return mark.second.seen; });
    if (first != marks_.end()) news_.push_back({first->first, kMaxUid});
    marks_.clear();
    changes_.clear();
    forgotten_ = 0;
    const auto words = split_words(header, " ");
    const auto before = words.size() == 3 && words[0] == kSeenMagic && words[1] == "1"
                            ? number_of(words[2])
                            : std::nullopt;
    damaged_ = !before.has_value();
    if (before) forgotten_ = *before;
}

// "<mod-sequence of the folder> + 5:7,9"
void PrivateSeen::on_line(std::string_view line) {
    const auto words = split_words(line, " ");
    const auto modseq = words.size() == 3 ? number_of(words[0]) : std::nullopt;
    const auto ranges = words.size() == 3 ? ranges_of(words[2]) : std::vector<UidRange>();
    if (damaged_ || !modseq || ranges.empty() || (words[1] != "+" && words[1] != "-")) {
        damaged_ = true;
        return;
    }
    changes_.push_back(changes_.empty() ? *modseq : std::max(*modseq, changes_.back()));
    const Mark mark{words[1] == "+", changes_.back() + forgotten_ + changes_.size()};
    for (const UidRange& range : ranges) assign(range, mark);
    news_.insert(news_.end(), ranges.begin(), ranges.end());
}

Result<std::vector<UidRange>> PrivateSeen::refresh() {
    if (!exists_ || log_.stale()) {
        const bool was_damaged = damaged_;
        TRY_ASSIGN(exists_, log_.refresh({[this](std::string_view header) { on_header(header); },
                                          [this](std::string_view line) { on_line(line); }}));
        if (!exists_) damaged_ = false;
        if (damaged_ && !was_damaged)
            log::warning("", file_ + ": is damaged; what is behind that place is not known");
    }
    return std::exchange(news_, {});
}

// Where the folder's mod-sequence is in the common order: behind the changes that were made before.
std::uint64_t PrivateSeen::in_order(std::uint64_t folder_modseq) const {
    const auto before = std::lower_bound(changes_.begin(), changes_.end(), folder_modseq);
    return folder_modseq + forgotten_ + static_cast<std::uint64_t>(before - changes_.begin());
}

std::uint64_t PrivateSeen::modseq_of(std::uint32_t uid, std::uint64_t folder_modseq) const {
    return std::max(in_order(folder_modseq), mark_of(uid).modseq);
}

std::uint64_t PrivateSeen::folder_part(std::uint64_t modseq) const {
    for (std::size_t before = changes_.size();; --before) {
        const std::uint64_t taken = forgotten_ + before;
        if (modseq >= taken) {
            std::uint64_t out = modseq - taken;
            if (before < changes_.size()) out = std::min(out, changes_[before]);
            if (before == 0 || out > changes_[before - 1]) return out;
        }
        if (before == 0) return 0;
    }
}

// All of it as one change, or none where nothing is seen.
std::string PrivateSeen::whole() const {
    std::vector<UidRange> seen;
    for (auto at = marks_.begin(); at != marks_.end(); ++at) {
        if (!at->second.seen) continue;
        const auto next = std::next(at);
        const std::uint32_t last = next == marks_.end() ? kMaxUid : next->first - 1;
        if (!seen.empty() && seen.back().last + 1 == at->first)
            seen.back().last = last;
        else
            seen.push_back({at->first, last});
    }
    const std::uint64_t all = forgotten_ + changes_.size();
    const std::uint64_t before = seen.empty() || all == 0 ? all : all - 1;
    std::string out = cat({kSeenMagic, " 1 ", std::to_string(before), "\n"});
    if (!seen.empty())
        out += cat(
            {std::to_string(changes_.empty() ? 0 : changes_.back()), " + ", text_of(seen), "\n"});
    return out;
}

Result<void> PrivateSeen::change(std::uint64_t folder_modseq, bool seen,
                                 std::span<const std::uint32_t> uids) {
    if (uids.empty()) return {};
    const std::string folder = file_.substr(0, file_.rfind('/'));
    auto made = fs_->make_directory(folder, 0700);
    if (!made && !fs_->info(folder)) return made;
    TRY_ASSIGN(const FolderLock lock, FolderLock::take(*fs_, file_ + ".lock"));
    TRY_ASSIGN(auto others, refresh());
    if (!exists_ || damaged_ || log_.torn() || changes_.size() > kManyChanges) {
        damaged_ = false;
        TRY(log_.replace(whole()));
        TRY(refresh());
    }
    TRY(log_.append(
        cat({std::to_string(folder_modseq), seen ? " + " : " - ", text_of(to_ranges(uids)), "\n"}),
        true));
    TRY(refresh());             // our own change is no news
    news_ = std::move(others);  // that of others is
    return {};
}

// A change of a message that there never is.
Result<void> PrivateSeen::raise(std::uint64_t folder_modseq) {
    const std::uint32_t none[] = {kMaxUid};
    return change(folder_modseq, false, none);
}

}  // namespace postern::mailbox
