#include "lib/mailbox/maildir_delivery.h"

#include <fcntl.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "lib/base/crc32c.h"
#include "lib/base/encode.h"
#include "lib/base/strings.h"
#include "lib/mailbox/group_fs.h"
#include "lib/sys/group_sync.h"

namespace postern::mailbox {
namespace {

constexpr std::size_t kWriteBuffer = 64 * 1024;
constexpr int kMaxNewParents = 8;
constexpr std::size_t kMaxOpen = 64;

std::string number(std::uint64_t n) { return std::to_string(n); }

// Host names go into file names: '/' and ':' have meanings there.
std::string safe_host(std::string_view host) {
    std::string out(host.substr(0, 64));
    for (char& c : out)
        if (c == '/' || c == ':' || c == ',' || is_control(c)) c = '_';
    return out.empty() ? "localhost" : out;
}

// What a folder has more, because it is a group's too, its new files have as well.
Result<Fd> create_temporary(sys::Fs& fs, const std::string& maildir, const std::string& path) {
    // A file of this name can only be our own, left behind by a crash: write over it.
    constexpr int kFlags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW;
    auto file = FolderFs(fs, maildir + "/new")->open(path, kFlags, 0600);
    if (file || file.error().code != Errc::not_found) return file;
    TRY(make_maildir(*FolderFs(fs, maildir), maildir));
    return FolderFs(fs, maildir + "/new")->open(path, kFlags, 0600);
}

std::string parent_of(const std::string& path) {
    const auto slash = path.find_last_of('/');
    return slash == std::string::npos ? "." : path.substr(0, std::max<std::size_t>(slash, 1));
}

// Makes the directory where it is missing: true if it had to. Missing parents are made too.
Result<bool> make_one(sys::Fs& fs, const std::string& path, int depth = 0) {
    auto made = fs.make_directory(path, 0700);
    if (!made && made.error().code == Errc::not_found && depth < kMaxNewParents) {
        TRY(make_one(fs, parent_of(path), depth + 1));
        made = fs.make_directory(path, 0700);
    }
    if (made) return true;
    auto info = fs.info(path);
    if (info && info->kind == sys::FileInfo::Kind::directory) return false;
    return std::move(made).error();
}

}  // namespace

Result<void> MessageWriter::write(std::string_view bytes) {
    size_ += bytes.size();
    crlf_size_ += bytes.size();
    const char* at = bytes.data();
    const char* const end = at + bytes.size();
    while (at != end) {
        const auto* lf =
            static_cast<const char*>(std::memchr(at, '\n', static_cast<std::size_t>(end - at)));
        if (lf == nullptr) break;
        if ((lf == bytes.data() ? last_ : lf[-1]) != '\r') ++crlf_size_;
        at = lf + 1;
    }
    if (!bytes.empty()) last_ = bytes.back();
    if (buffer_.empty() && bytes.size() >= kWriteBuffer) return fs_->write(fd_, bytes);
    buffer_ += bytes;
    return buffer_.size() >= kWriteBuffer ? flush() : Result<void>();
}

Result<void> MessageWriter::flush() {
    if (buffer_.empty()) return {};
    TRY(fs_->write(fd_, buffer_));
    buffer_.clear();
    return {};
}

DeliveryGroup::DeliveryGroup(sys::Fs& fs, std::span<const Delivery> deliveries) : fs_(&fs) {
    for (const Delivery& d : deliveries) {
        pending_.push_back({&d, Fd(), cat({d.maildir, "/tmp/", d.stem}), {}});
        results_.emplace_back(std::string());
    }
}

template <class Step>
void DeliveryGroup::each(Step step) {
    for (std::size_t i = 0; i < pending_.size(); ++i) {
        if (!results_[i]) continue;
        Result<void> done = step(pending_[i]);
        if (!done) fail(i, std::move(done).error());
    }
}

void DeliveryGroup::fail(std::size_t index, Error error) {
    pending_[index].file.reset();
    // Best effort: what stays under tmp/ is no message and is overwritten or cleaned up later.
    (void)fs_->unlink(pending_[index].temporary).has_value();
    results_[index] = std::move(error);
}

Result<void> DeliveryGroup::write_temporary(Pending& p) {
    const Delivery& d = *p.delivery;
    TRY_ASSIGN(p.file, create_temporary(*fs_, d.maildir, p.temporary));
    MessageWriter writer(*fs_, p.file.get());
    TRY(d.content(writer));
    TRY(writer.flush());
    if (d.date != 0) TRY(fs_->set_times(p.temporary, d.date));
    p.final_name = cat(
        {"new/", d.stem, ",S=", number(writer.size()), ",W=", number(writer.crlf_size()), d.info});
    return {};
}

void DeliveryGroup::prepare() {
    each([this](Pending& p) { return write_temporary(p); });
    sync();
}

Result<void> DeliveryGroup::add(const Delivery& d) {
    pending_.push_back({&d, Fd(), cat({d.maildir, "/tmp/", d.stem}), {}});
    results_.emplace_back(std::string());
    if (pending_.size() % kMaxOpen == 0) sync();  // as many as may be open at once
    Result<void> done = write_temporary(pending_.back());
    if (!done) fail(pending_.size() - 1, done.error());
    return done;
}

void DeliveryGroup::sync() {
    std::vector<int> files;
    for (std::size_t i = 0; i < pending_.size(); ++i)
        if (results_[i] && pending_[i].file) files.push_back(pending_[i].file.get());
    auto synced = sys::sync_files(*fs_, files);
    auto next = synced.begin();
    each([&](Pending& p) -> Result<void> {
        if (!p.file) return {};
        p.file.reset();
        return std::move(*next++);
    });
}

Result<void> DeliveryGroup::rename_into_new(const Pending& p) {
    auto renamed = fs_->rename(p.temporary, published_path(p));
    if (renamed || renamed.error().code != Errc::not_found) return renamed;
    // tmp/ is there and new/ is not: a crash while the Maildir was made, or a foreign program's
    // tidiness. Or it is gone as a whole: then who deleted it shall not see it again.
    TRY(complete_maildir(*FolderFs(*fs_, p.delivery->maildir), p.delivery->maildir));
    return fs_->rename(p.temporary, published_path(p));
}

void DeliveryGroup::publish() {
    publish_names();
    sync_names();
}

void DeliveryGroup::publish_names() {
    each([this](Pending& p) { return rename_into_new(p); });
}

void DeliveryGroup::sync_names() {
    std::vector<std::string> directories;
    std::map<std::string, std::size_t> index_of;  // in directories
    const auto directory_of = [](const Pending& p) { return p.delivery->maildir + "/new"; };
    each([&](Pending& p) -> Result<void> {
        if (index_of.try_emplace(directory_of(p), directories.size()).second)
            directories.push_back(directory_of(p));
        return {};
    });
    const auto synced = sys::sync_directories(*fs_, directories);
    for (std::size_t i = 0; i < pending_.size(); ++i) {
        if (!results_[i]) continue;
        const Result<void>& done = synced[index_of.at(directory_of(pending_[i]))];
        results_[i] = done ? Result<std::string>(pending_[i].final_name) : Error(done.error());
    }
}

void DeliveryGroup::abandon() {
    for (std::size_t i = 0; i < pending_.size(); ++i) {
        // Wherever it is by now; where only its last sync failed, under its new name.
        if (!pending_[i].final_name.empty())
            (void)fs_->unlink(published_path(pending_[i])).has_value();
        if (results_[i]) fail(i, Error{Errc::temporary, "delivery abandoned"});
    }
}

std::string DeliveryGroup::published_path(const Pending& p) const {
    return cat({p.delivery->maildir, "/", p.final_name});
}

std::string_view DeliveryGroup::prepared_name(std::size_t index) const {
    return std::string_view(pending_[index].final_name).substr(std::string_view("new/").size());
}

std::vector<Result<std::string>> deliver(sys::Fs& fs, std::span<const Delivery> deliveries) {
    DeliveryGroup group(fs, deliveries);
    group.prepare();
    group.publish();
    return std::move(group).results();
}

std::string delivery_stem(WallTime arrival, std::string_view queue_id, std::string_view recipient,
                          std::string_view host) {
    const auto micros = arrival.time_since_epoch().count();
    const std::uint32_t crc = crc32c(recipient);
    char hash[4];
    std::memcpy(hash, &crc, sizeof hash);
    return cat({std::to_string(micros / 1'000'000), ".M", std::to_string(micros % 1'000'000), "Q",
                queue_id, "R", hex_encode({hash, sizeof hash}), ".", safe_host(host)});
}

std::string unique_stem(const Clock& clock, Random& random, std::string_view host) {
    const auto micros = clock.now().time_since_epoch().count();
    return cat({std::to_string(micros / 1'000'000), ".M", std::to_string(micros % 1'000'000), "R",
                hex_encode(random.bytes(8)), ".", safe_host(host)});
}

Result<void> sync_name(sys::Fs& fs, const std::string& path) {
    auto synced = fs.sync_directory(parent_of(path));
    if (!synced && synced.error().code != Errc::denied) return synced;
    return {};
}

Result<void> make_maildir(sys::Fs& fs, const std::string& path) {
    TRY_ASSIGN(const bool made, make_one(fs, path));
    TRY(complete_maildir(fs, path));
    return made ? sync_name(fs, path) : Result<void>();
}

Result<void> complete_maildir(sys::Fs& fs, const std::string& path) {
    bool made = false;
    for (const char* part : {"/tmp", "/new", "/cur"}) {
        TRY_ASSIGN(const bool part_made, make_one(fs, path + part, kMaxNewParents));
        made = made || part_made;
    }
    if (!made) return {};
    return fs.sync_directory(path);
}

}  // namespace postern::mailbox
