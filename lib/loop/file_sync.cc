#include "lib/loop/file_sync.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <utility>

#include "lib/base/check.h"
#include "lib/sys/file.h"
#include "lib/sys/group_sync.h"

namespace postern::loop {
namespace {

// Signals are the loop's business: the thread must not take one away from it.
class AllSignalsBlocked {
  public:
    AllSignalsBlocked() {
        sigset_t all;
        ::sigfillset(&all);
        ::pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~AllSignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    AllSignalsBlocked(const AllSignalsBlocked&) = delete;
    AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;

  private:
    sigset_t before_{};
};

}  // namespace

FileSync::FileSync(Loop& loop, sys::Fs& fs)
    : fs_(fs), loop_(loop), wakeup_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    POSTERN_CHECK(static_cast<bool>(wakeup_));
    watch_ = std::make_unique<Watch>(loop, wakeup_.get(), [this] { collect(); });
    watch_->want_read(true);
}

FileSync::~FileSync() {
    *alive_ = false;
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_one();
    if (thread_.joinable()) thread_.join();
}

void FileSync::submit(SyncJob job, Done done) {
    ++outstanding_;
    if (!thread_.joinable()) {
        const AllSignalsBlocked blocked;
        thread_ = std::thread([this] { work(); });
    }
    {
        const std::lock_guard lock(mutex_);
        waiting_.push_back({std::move(job), std::move(done)});
    }
    changed_.notify_one();
}

void FileSync::perform_here(SyncJob job, Done done) {
    ++outstanding_;
    perform(job);
    auto item = std::make_shared<Item>(Item{std::move(job), std::move(done)});
    loop_.post([this, alive = alive_, item] {
        if (!*alive) return;
        --outstanding_;
        item->done(std::move(item->job));
    });
}

void FileSync::work() {
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
        if (stopping_) return;
        Item item = std::move(waiting_.front());
        waiting_.pop_front();
        lock.unlock();
        perform(item.job);
        lock.lock();
        finished_.push_back(std::move(item));
        const std::uint64_t one = 1;
        // The counter cannot overflow, and a failure otherwise would leave every client waiting.
        POSTERN_CHECK(::write(wakeup_.get(), &one, sizeof one) == sizeof one);
    }
}

void FileSync::write(SyncFile& file) {
    if (file.fd) {
        file.outcome = fs_.write_at(file.fd.get(), 0, file.bytes);
        return;
    }
    auto fd = fs_.open(file.path, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (!fd) {
        file.outcome = std::move(fd).error();
        return;
    }
    file.fd = std::move(*fd);
    // Whoever looks at the folder meanwhile shall not take up what is not durable yet.
    (void)sys::try_lock(file.fd.get(), sys::LockKind::exclusive);
    file.outcome = fs_.write(file.fd.get(), file.bytes);
}

void FileSync::sync_contents(SyncJob& job) {
    std::vector<SyncFile*> written;
    std::vector<int> descriptors;
    for (SyncFile& file : job.files) {
        if (!file.outcome) continue;
        written.push_back(&file);
        descriptors.push_back(file.fd.get());
    }
    std::vector<Result<void>> outcomes = sys::sync_files(fs_, descriptors);
    for (std::size_t i = 0; i < written.size(); ++i) written[i]->outcome = std::move(outcomes[i]);
}

void FileSync::perform(SyncJob& job) {
    // The usual case: bytes over the old ones of one file, whose size and place stay what they are.
    const bool in_place = job.files.size() == 1 && job.files[0].fd && !job.files[0].bytes.empty();
    std::vector<bool> ours(job.files.size());
    for (std::size_t i = 0; i < job.files.size(); ++i) {
        SyncFile& file = job.files[i];
        if (file.bytes.empty()) continue;
        write(file);
        ours[i] = static_cast<bool>(file.fd);
    }
    if (!in_place)
        sync_contents(job);
    else if (SyncFile& file = job.files[0]; file.outcome)
        file.outcome = fs_.sync_data(file.fd.get());
    if (!job.directory.empty()) {
        job.directory_outcome = fs_.sync_directory(job.directory);
        if (!job.directory_outcome)
            for (SyncFile& file : job.files) file.outcome = job.directory_outcome;
    }
    for (std::size_t i = 0; i < job.files.size(); ++i) {
        SyncFile& file = job.files[i];
        if (ours[i] && !file.outcome) (void)fs_.unlink(file.path);
        // The lock ends before anybody is told.
        if (file.keep_open && file.fd && file.outcome)
            sys::unlock(file.fd.get());
        else
            file.fd.reset();
    }
}

void FileSync::collect() {
    std::uint64_t count = 0;
    (void)!::read(wakeup_.get(), &count, sizeof count);
    std::deque<Item> items;
    {
        const std::lock_guard lock(mutex_);
        items.swap(finished_);
    }
    const std::shared_ptr<bool> alive = alive_;
    for (Item& item : items) {
        --outstanding_;
        item.done(std::move(item.job));
        if (!*alive) return;  // the callback destroyed us
    }
}

}  // namespace postern::loop
