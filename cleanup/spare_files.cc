#include "cleanup/spare_files.h"

#include <algorithm>
#include <utility>

#include "lib/queue/directories.h"
#include "lib/sys/file.h"

namespace postern::cleanup {

SpareFiles::~SpareFiles() {
    for (const Known& known : known_) (void)fs_.unlink(queue::spare_path_of(known.name));
}

// The name says whether it is finished: only qmgr gives it, as its last step.
template <class Act>
SpareFiles::State SpareFiles::if_finished(const Known& known, Act act) {
    const std::string spare = queue::spare_path_of(known.name);
    if (act(spare)) return State::finished;
    if (fs_.info(queue::path_of(queue::Directory::incoming, known.name))) return State::in_queue;
    // It may have been finished between the two looks.
    return act(spare) ? State::finished : State::gone;
}

Fd SpareFiles::take(std::size_t size, const std::string& path) {
    const auto fits = [size](const Known& known) { return known.size == size; };
    const auto found = std::find_if(known_.begin(), known_.end(), fits);
    if (found == known_.end()) return {};
    Known known = std::move(*found);
    known_.erase(found);
    // Somebody may read it still.
    const auto locked = sys::try_lock(known.file.get(), sys::LockKind::exclusive);
    if (!locked || !*locked) {
        known_.push_back(std::move(known));
        return {};
    }
    const auto rename = [&](const std::string& spare) { return bool{fs_.rename(spare, path)}; };
    const State state = if_finished(known, rename);
    if (state == State::finished) return std::move(known.file);
    sys::unlock(known.file.get());
    if (state == State::in_queue) known_.push_back(std::move(known));
    return {};
}

bool SpareFiles::make_room() {
    if (known_.size() < limit_) return true;
    if (limit_ == 0) return false;
    Known known = std::move(known_.front());
    known_.pop_front();
    const auto remove = [this](const std::string& spare) { return bool{fs_.unlink(spare)}; };
    if (if_finished(known, remove) != State::in_queue) return true;
    known_.push_back(std::move(known));
    return false;
}

void SpareFiles::add(const QueueId& name, Fd file, std::size_t size) {
    known_.push_back({name, std::move(file), size});
}

}  // namespace postern::cleanup
