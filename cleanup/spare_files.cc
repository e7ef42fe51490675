#include "cleanup/spare_files.h"

#include <algorithm>
#include <utility>

#include "lib/queue/directories.h"
#include "lib/sys/file.h"

namespace postern::cleanup {

SpareFiles::~SpareFiles() {
    for (const Known& known : known_) (void)fs_.unlink(queue::spare_path_of(known.name));
}

bool SpareFiles::in_queue(const Known& known) {
    return fs_.info(queue::path_of(queue::Directory::incoming, known.name)).has_value();
}

Fd SpareFiles::take(std::size_t size, const std::string& path) {
    const auto fits = [size](const Known& known) { return known.size == size; };
    const auto found = std::find_if(known_.begin(), known_.end(), fits);
    if (found == known_.end()) return {};
    Known known = std::move(*found);
    known_.erase(found);
    // Somebody may read it still.
    const auto locked = sys::try_lock(known.file.get(), sys::LockKind::exclusive);
    const bool ours = locked && *locked;
    const std::string spare = queue::spare_path_of(known.name);
    // The name says whether it is finished: only qmgr gives it, as its last step.
    if (ours && fs_.rename(spare, path)) return std::move(known.file);
    const bool waiting = !ours || in_queue(known);
    // It may have been finished between the two looks.
    if (ours && !waiting && fs_.rename(spare, path)) return std::move(known.file);
    if (ours) sys::unlock(known.file.get());
    if (waiting) known_.push_back(std::move(known));
    return {};
}

bool SpareFiles::make_room() {
    if (known_.size() < limit_) return true;
    if (limit_ == 0) return false;
    Known known = std::move(known_.front());
    known_.pop_front();
    const std::string spare = queue::spare_path_of(known.name);
    if (fs_.unlink(spare)) return true;
    const bool waiting = in_queue(known);
    if (!waiting) (void)fs_.unlink(spare);
    if (waiting) known_.push_back(std::move(known));
    return !waiting;
}

void SpareFiles::add(const QueueId& name, Fd file, std::size_t size) {
    known_.push_back({name, std::move(file), size});
}

}  // namespace postern::cleanup
