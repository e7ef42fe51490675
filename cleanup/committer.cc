#include "cleanup/committer.h"

#include <algorithm>
#include <memory>

#include "lib/queue/directories.h"
#include "lib/queue/writer.h"

namespace postern::cleanup {
namespace {

constexpr unsigned kAlone = 16;  // messages in a row after which a submitter is taken to be the only one

}  // namespace

Committer::Committer(loop::Loop& loop, sys::Fs& fs, const Options& options,
                     std::function<void(const QueueId&)> on_file)
    : fs_(fs),
      options_(options),
      on_file_(std::move(on_file)),
      spare_files_(fs, options.spare_files),
      sync_(loop, fs) {}

void Committer::commit(Finished message) {
    const bool same = message.submitter == last_submitter_ && outstanding_ == 0;
    in_a_row_ = same ? in_a_row_ + 1 : 0;
    last_submitter_ = message.submitter;
    ++outstanding_;
    waiting_.push_back(std::move(message));
    if (sync_.outstanding() == 0) start();
}

// Small messages share files up to the batch limits; one that has a file already keeps it.
void Committer::add_to_groups(std::vector<Group>& groups, Finished message,
                              std::size_t& batch_bytes) const {
    const bool own_file = static_cast<bool>(message.file);
    const bool fits = !groups.empty() && !groups.back().messages.back().file &&
                      groups.back().messages.size() <
                          std::min(options_.batch_messages, queue::BatchBuilder::kMaxBatch) &&
                      batch_bytes + weight(message) <= options_.batch_bytes;
    if (own_file || !fits) {
        groups.push_back({message.envelope.id, {}});
        batch_bytes = 0;
    }
    batch_bytes += weight(message);
    groups.back().messages.push_back(std::move(message));
}

loop::SyncFile Committer::to_file(Group& group) {
    loop::SyncFile file;
    file.path = queue::path_of(queue::Directory::incoming, group.file);
    if (group.messages[0].file) {
        file.fd = std::move(group.messages[0].file);
        return file;
    }
    queue::BatchBuilder batch;
    for (const Finished& message : group.messages) batch.add(message.envelope, message.text);
    fill(file, std::move(batch));
    return file;
}

// Into a file of earlier messages that is finished, if there is one; otherwise into one that later
// messages can have, if we can keep it.
void Committer::fill(loop::SyncFile& file, queue::BatchBuilder batch) {
    const std::size_t size = batch.size_when_reusable();
    if (size > 0) file.fd = spare_files_.take(size, file.path);
    file.keep_open = file.fd || (size > 0 && spare_files_.make_room());
    file.bytes = file.keep_open ? std::move(batch).finish_reusable() : std::move(batch).finish();
}

void Committer::start() {
    // Those with a file of their own first, so that the others stay together.
    std::stable_partition(waiting_.begin(), waiting_.end(),
                          [](const Finished& m) { return static_cast<bool>(m.file); });
    auto groups = std::make_shared<std::vector<Group>>();
    std::size_t batch_bytes = 0;
    for (Finished& message : waiting_) add_to_groups(*groups, std::move(message), batch_bytes);
    waiting_.clear();

    loop::SyncJob job;
    if (options_.sync_directory) job.directory = queue::name_of(queue::Directory::incoming);
    for (Group& group : *groups) {
        job.files.push_back(to_file(group));
        for (Finished& message : group.messages) message.text = {};
    }
    ++syncs_;
    const auto how = in_a_row_ >= kAlone ? &loop::FileSync::perform_here : &loop::FileSync::submit;
    (sync_.*how)(std::move(job), [this, groups](loop::SyncJob done) {
        finished(std::move(*groups), std::move(done));
    });
}

void Committer::finished(std::vector<Group> groups, loop::SyncJob job) {
    // The next group goes to the disk before this one is answered: the disk is what all wait for.
    if (!waiting_.empty()) start();
    for (std::size_t i = 0; i < groups.size(); ++i) {
        loop::SyncFile& file = job.files[i];
        // What a job created it removes itself when it fails; a large message's file is ours.
        if (!file.outcome && file.bytes.empty()) (void)fs_.unlink(file.path);
        const Result<QueueId> outcome = file.outcome ? Result<QueueId>(groups[i].file)
                                                     : Result<QueueId>(Error(file.outcome.error()));
        if (file.outcome) on_file_(groups[i].file);
        if (file.fd) spare_files_.add(groups[i].file, std::move(file.fd), file.bytes.size());
        for (Finished& message : groups[i].messages) {
            --outstanding_;
            ++messages_;
            message.done(outcome);
        }
    }
}

}  // namespace postern::cleanup
