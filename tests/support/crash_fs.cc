#include "tests/support/crash_fs.h"

#include <fcntl.h>

#include <algorithm>
#include <random>

namespace postern::support {
namespace {

std::string parent(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? "." : path.substr(0, slash);
}

}  // namespace

// The state that the record leads to: what is durable, and what is not yet.
struct CrashFs::Disk {
    using Namespace = std::map<std::string, std::uint64_t>;
    std::map<std::uint64_t, std::string> durable;  // contents by inode
    std::map<std::uint64_t, std::vector<const Op*>>
        unsynced;                          // writes since the last sync, by inode
    Namespace live, names;                 // as programs see it; as it is durable
    std::vector<const Op*> pending;        // changes of names not durable yet
    std::vector<std::string> directories;  // always durable once made: not what is tested

    static void apply(Namespace& names, const Op& op) {
        switch (op.kind) {
            case Kind::create:
            case Kind::link: names[op.kind == Kind::link ? op.to : op.path] = op.inode; break;
            case Kind::rename:
                names.erase(op.path);
                names[op.to] = op.inode;
                break;
            case Kind::unlink: names.erase(op.path); break;
            default: break;
        }
    }
    static void apply(std::string& contents, const Op& op, Bytes how) {
        if (op.kind == Kind::truncate) {
            contents.resize(op.offset, '\0');
            return;
        }
        const std::size_t keep = how == Bytes::cut ? op.bytes.size() / 2 : op.bytes.size();
        if (contents.size() < op.offset + keep) contents.resize(op.offset + keep, '\0');
        if (how != Bytes::zeroed) contents.replace(op.offset, keep, op.bytes.substr(0, keep));
    }
    // Makes those pending changes durable that `wanted` picks.
    template <class Wanted>
    void settle(Wanted wanted) {
        std::vector<const Op*> rest;
        for (const Op* op : pending) {
            if (wanted(*op))
                apply(names, *op);
            else
                rest.push_back(op);
        }
        pending = std::move(rest);
    }
    void step(const Op& op) {
        switch (op.kind) {
            case Kind::create:
            case Kind::rename:
            case Kind::link:
            case Kind::unlink:
                apply(live, op);
                pending.push_back(&op);
                break;
            case Kind::write:
            case Kind::truncate: unsynced[op.inode].push_back(&op); break;
            case Kind::sync:
            case Kind::sync_data:
                for (const Op* write : unsynced[op.inode])
                    apply(durable[op.inode], *write, Bytes::kept);
                unsynced[op.inode].clear();
                if (op.kind == Kind::sync_data) break;
                settle([&](const Op& p) { return p.inode == op.inode && p.kind != Kind::unlink; });
                break;
            case Kind::sync_dir:
                settle([&](const Op& p) {
                    return parent(p.path) == op.path || (!p.to.empty() && parent(p.to) == op.path);
                });
                break;
            case Kind::sync_all:
                for (auto& [inode, writes] : unsynced) {
                    for (const Op* write : writes) apply(durable[inode], *write, Bytes::kept);
                    writes.clear();
                }
                settle([](const Op&) { return true; });
                break;
            case Kind::mkdir: directories.push_back(op.path); break;
            case Kind::note: break;
        }
    }
};

std::string CrashFs::relative(const std::string& path) const {
    return path.starts_with(root() + "/") ? path.substr(root().size() + 1) : path;
}

std::uint64_t CrashFs::inode_of(int fd) {
    const auto info = real().info(fd);
    return info ? identity(info->inode) : 0;
}

std::uint64_t CrashFs::inode_of(const std::string& path) {
    const auto info = RootedFs::info(path);
    return info ? identity(info->inode) : 0;
}

std::uint64_t CrashFs::identity(std::uint64_t inode) {
    const auto [at, is_new] = identity_.try_emplace(inode, last_identity_ + 1);
    if (is_new) ++last_identity_;
    return at->second;
}

void CrashFs::record(Op op) { log_.push_back(std::move(op)); }

void CrashFs::note(std::string mark) {
    const std::lock_guard lock(mutex_);
    record({.kind = Kind::note, .path = std::move(mark)});
}

std::vector<std::string> CrashFs::notes(std::size_t n) const {
    std::vector<std::string> marks;
    for (std::size_t i = 0; i < n; ++i)
        if (log_[i].kind == Kind::note) marks.push_back(log_[i].path);
    return marks;
}

void CrashFs::materialize(std::size_t n, Bytes bytes, Names names, const std::string& into) const {
    Disk disk;
    for (std::size_t i = 0; i < n; ++i) disk.step(log_[i]);
    if (names == Names::kept) disk.settle([](const Op&) { return true; });
    for (const std::string& directory : disk.directories)
        (void)real().make_directory(into + "/" + directory, 0700);
    for (const auto& [path, inode] : disk.names) {
        std::string contents = disk.durable[inode];
        if (bytes != Bytes::dropped)
            for (const Op* write : disk.unsynced[inode]) Disk::apply(contents, *write, bytes);
        auto fd = real().open(into + "/" + path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        POSTERN_CHECK(fd.has_value());
        POSTERN_CHECK(real().write(fd->get(), contents).has_value());
    }
}

// What becomes of each change that is not durable yet.
struct CrashFs::Fate {
    std::vector<bool> names;
    std::vector<Bytes> writes;
};

CrashFs::Image CrashFs::image_of(const Disk& disk, const Fate& fate) const {
    Disk::Namespace names = disk.names;
    for (std::size_t i = 0; i < disk.pending.size(); ++i)
        if (fate.names[i]) Disk::apply(names, *disk.pending[i]);
    std::map<std::uint64_t, std::string> contents = disk.durable;
    std::size_t i = 0;
    for (const auto& [inode, writes] : disk.unsynced)
        for (const Op* write : writes) {
            const Bytes bytes = fate.writes[i++];
            if (bytes != Bytes::dropped) Disk::apply(contents[inode], *write, bytes);
        }
    Image image;
    for (const auto& [path, inode] : names) image[path] = contents[inode];
    return image;
}

std::vector<CrashFs::Image> CrashFs::images_after(std::size_t n, const Effort& effort) const {
    Disk disk;
    for (std::size_t i = 0; i < n; ++i) disk.step(log_[i]);
    std::size_t writes = 0;
    for (const auto& [inode, unsynced] : disk.unsynced) writes += unsynced.size();
    const std::size_t names = disk.pending.size();
    const std::size_t bits = names + 2 * writes;
    std::vector<Image> images;
    const auto add = [&](auto&& pick) {
        Fate fate;
        for (std::size_t i = 0; i < names; ++i) fate.names.push_back(pick() % 2 != 0);
        for (std::size_t i = 0; i < writes; ++i) fate.writes.push_back(Bytes(pick() % 4));
        images.push_back(image_of(disk, fate));
    };
    if (bits < 20 && (std::size_t{1} << bits) <= effort.exhaustive) {
        for (std::size_t number = 0; number < std::size_t{1} << bits; ++number) {
            std::size_t rest = number, taken = 0;
            add([&] {
                return taken++ < names ? std::exchange(rest, rest / 2)
                                       : std::exchange(rest, rest / 4);
            });
        }
        return images;
    }
    for (std::size_t kind = 0; kind < 8; ++kind) {
        std::size_t taken = 0;
        add([&] { return taken++ < names ? kind / 4 : kind; });
    }
    std::mt19937_64 dice(effort.seed + n);
    for (std::size_t i = 0; i < effort.sample; ++i) add([&] { return dice(); });
    return images;
}

void CrashFs::write_image(std::size_t n, const Image& image, const std::string& into) const {
    for (std::size_t i = 0; i < n; ++i)
        if (log_[i].kind == Kind::mkdir)
            (void)real().make_directory(into + "/" + log_[i].path, 0700);
    for (const auto& [path, contents] : image) {
        const auto fd = real().open(into + "/" + path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        POSTERN_CHECK(fd.has_value());
        POSTERN_CHECK(real().write(fd->get(), contents).has_value());
    }
}

Result<Fd> CrashFs::open(const std::string& path, int flags, mode_t mode) {
    const std::lock_guard lock(mutex_);
    const bool existed = RootedFs::info(path).has_value();
    TRY_ASSIGN(Fd fd, RootedFs::open(path, flags, mode));
    TRY_ASSIGN(const sys::FileInfo info, real().info(fd.get()));
    position_[fd.get()] = (flags & O_APPEND) != 0 ? info.size : 0;
    const bool is_new = !existed && (flags & O_CREAT) != 0;
    if (is_new) identity_.erase(info.inode);
    const std::uint64_t inode = identity(info.inode);
    if (is_new) {
        record({.kind = Kind::create, .inode = inode, .path = relative(path)});
    } else if ((flags & O_TRUNC) != 0) {
        record({.kind = Kind::truncate, .inode = inode});
    }
    return fd;
}

Result<void> CrashFs::write(int fd, std::string_view bytes) {
    const std::lock_guard lock(mutex_);
    TRY(RootedFs::write(fd, bytes));
    record({.kind = Kind::write,
            .inode = inode_of(fd),
            .offset = position_[fd],
            .bytes = std::string(bytes)});
    position_[fd] += bytes.size();
    return {};
}

Result<void> CrashFs::write_at(int fd, std::uint64_t offset, std::string_view bytes) {
    const std::lock_guard lock(mutex_);
    TRY(RootedFs::write_at(fd, offset, bytes));
    record({.kind = Kind::write,
            .inode = inode_of(fd),
            .offset = offset,
            .bytes = std::string(bytes)});
    return {};
}

Result<void> CrashFs::truncate(int fd, std::uint64_t size) {
    const std::lock_guard lock(mutex_);
    TRY(RootedFs::truncate(fd, size));
    record({.kind = Kind::truncate, .inode = inode_of(fd), .offset = size});
    return {};
}

Result<void> CrashFs::sync(int fd) {
    const std::lock_guard lock(mutex_);
    record({.kind = Kind::sync, .inode = inode_of(fd)});
    return {};
}

Result<void> CrashFs::sync_data(int fd) {
    const std::lock_guard lock(mutex_);
    record({.kind = Kind::sync_data, .inode = inode_of(fd)});
    return {};
}

Result<void> CrashFs::rename(const std::string& from, const std::string& to) {
    const std::lock_guard lock(mutex_);
    const std::uint64_t inode = inode_of(from);
    TRY(RootedFs::rename(from, to));
    record({.kind = Kind::rename, .inode = inode, .path = relative(from), .to = relative(to)});
    return {};
}

Result<void> CrashFs::link(const std::string& from, const std::string& to) {
    const std::lock_guard lock(mutex_);
    const std::uint64_t inode = inode_of(from);
    TRY(RootedFs::link(from, to));
    record({.kind = Kind::link, .inode = inode, .path = relative(from), .to = relative(to)});
    return {};
}

Result<void> CrashFs::unlink(const std::string& path) {
    const std::lock_guard lock(mutex_);
    const std::uint64_t inode = inode_of(path);
    TRY(RootedFs::unlink(path));
    record({.kind = Kind::unlink, .inode = inode, .path = relative(path)});
    return {};
}

Result<void> CrashFs::make_directory(const std::string& path, mode_t mode) {
    const std::lock_guard lock(mutex_);
    TRY(RootedFs::make_directory(path, mode));
    record({.kind = Kind::mkdir, .path = relative(path)});
    return {};
}

Result<void> CrashFs::sync_filesystem(int) {
    const std::lock_guard lock(mutex_);
    record({.kind = Kind::sync_all});
    return {};
}

Result<void> CrashFs::sync_directory(const std::string& path) {
    const std::lock_guard lock(mutex_);
    record({.kind = Kind::sync_dir, .path = relative(path)});
    return {};
}

}  // namespace postern::support
