// CrashFs: records every operation that changes the file system and every sync. After a run, for
// each prefix of that record, materialize() builds what a disk may hold when the power fails there:
// what was not synced is dropped, kept, cut or zeroed. The test then looks at the result with a
// RootedFs and compares it with the marks (note) that the scenario had reached: acknowledged must
// mean recovered.
//
// for_each_crash() gives all of one kind the same fate; for_each_reordering() lets a disk choose
// for each write and each change of a name, as one that reorders what lies between two syncs does.
//
// What a sync is taken to promise: fsync of a file makes its contents durable, and the names it was
// given since (ext4, XFS and btrfs do); fdatasync makes contents durable, and no name; fsync of a
// directory makes every change of that directory durable; syncfs makes everything durable. Nothing
// else.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <set>

#include "tests/support/rooted_fs.h"
#include "tests/support/temp_folder.h"

namespace postern::support {

class CrashFs final : public RootedFs {
  public:
    explicit CrashFs(std::string root) : RootedFs(std::move(root)) {}

    // What becomes of bytes that were written and not synced.
    enum class Bytes { dropped, kept, cut, zeroed };
    // What becomes of names that were made, moved or removed and not synced.
    enum class Names { dropped, kept };

    // Puts a mark into the record ("acknowledged 4Xy").
    void note(std::string mark);
    // How long the record is. Prefix n holds operations 0 .. n-1.
    std::size_t size() const { return log_.size(); }
    // The marks within the first n operations.
    std::vector<std::string> notes(std::size_t n) const;
    // Builds the disk after a crash at n under the empty folder `into`. Directories made by
    // anything but this object (before the run) must be made there by the caller.
    void materialize(std::size_t n, Bytes bytes, Names names, const std::string& into) const;

    // All of size() + 1 prefixes times all kinds of loss: calls visit(n, folder) with each disk.
    template <class Visit>
    void for_each_crash(const std::function<void(const std::string&)>& prepare, Visit visit) const;

    // A disk after a crash: path -> contents.
    using Image = std::map<std::string, std::string>;
    // A moment with at most so many possible disks has them all tried, one with more a sample of so
    // many (and the uniform ones).
    struct Effort {
        std::size_t exhaustive = 256;
        std::size_t sample = 48;
        std::uint64_t seed = 1;
    };
    // Disks that may be left by a crash at n: of the changes of names that were not synced any
    // subset, and of the bytes each write lost, kept, cut or zeroed.
    std::vector<Image> images_after(std::size_t n, const Effort& effort) const;
    void write_image(std::size_t n, const Image& image, const std::string& into) const;
    // All prefixes times these disks, each different one once: visit(n, folder). Returns how many.
    template <class Visit>
    std::size_t for_each_reordering(const std::function<void(const std::string&)>& prepare,
                                    Visit visit, const Effort& effort) const;
    template <class Visit>
    std::size_t for_each_reordering(const std::function<void(const std::string&)>& prepare,
                                    Visit visit) const {
        return for_each_reordering(prepare, visit, Effort{});
    }

    Result<Fd> open(const std::string& path, int flags, mode_t mode) override;
    Result<void> write(int fd, std::string_view bytes) override;
    Result<void> write_at(int fd, std::uint64_t offset, std::string_view bytes) override;
    Result<void> truncate(int fd, std::uint64_t size) override;
    Result<void> sync(int fd) override;
    Result<void> sync_data(int fd) override;
    Result<void> sync_filesystem(int fd) override;
    Result<void> rename(const std::string& from, const std::string& to) override;
    Result<void> link(const std::string& from, const std::string& to) override;
    Result<void> unlink(const std::string& path) override;
    Result<void> make_directory(const std::string& path, mode_t mode) override;
    Result<void> sync_directory(const std::string& path) override;

  private:
    enum class Kind {
        create,
        write,
        truncate,
        sync,
        sync_data,
        rename,
        link,
        unlink,
        mkdir,
        sync_dir,
        sync_all,
        note
    };
    struct Op {
        Kind kind;
        std::uint64_t inode = 0;
        std::uint64_t offset = 0;  // of a write; the new size for truncate
        std::string path, to;      // relative to the root
        std::string bytes;
    };
    struct Disk;
    struct Fate;

    Image image_of(const Disk& disk, const Fate& fate) const;
    std::string relative(const std::string& path) const;
    std::uint64_t inode_of(int fd);
    std::uint64_t inode_of(const std::string& path);
    std::uint64_t identity(std::uint64_t inode);
    void record(Op op);

    mutable std::mutex mutex_;  // FileSync writes from its own thread
    std::vector<Op> log_;
    std::map<int, std::uint64_t> position_;  // where write() continues, per descriptor
    // The kernel gives a removed file's inode number again; in the record each file has its own.
    std::map<std::uint64_t, std::uint64_t> identity_;
    std::uint64_t last_identity_ = 0;
};

template <class Visit>
void CrashFs::for_each_crash(const std::function<void(const std::string&)>& prepare,
                             Visit visit) const {
    for (std::size_t n = 0; n <= size(); ++n)
        for (const Bytes bytes : {Bytes::dropped, Bytes::kept, Bytes::cut, Bytes::zeroed})
            for (const Names names : {Names::dropped, Names::kept}) {
                const TempFolder folder(TempFolder::Where::memory);
                prepare(folder.path());
                materialize(n, bytes, names, folder.path());
                visit(n, folder.path());
            }
}

template <class Visit>
std::size_t CrashFs::for_each_reordering(const std::function<void(const std::string&)>& prepare,
                                         Visit visit, const Effort& effort) const {
    std::set<std::pair<std::size_t, Image>> tried;  // with what had been promised by then
    for (std::size_t n = 0; n <= size(); ++n) {
        const std::size_t told = notes(n).size();
        for (Image& image : images_after(n, effort)) {
            const auto [at, is_new] = tried.emplace(told, std::move(image));
            if (!is_new) continue;
            const TempFolder folder(TempFolder::Where::memory);
            prepare(folder.path());
            write_image(n, at->second, folder.path());
            visit(n, folder.path());
        }
    }
    return tried.size();
}

}  // namespace postern::support
