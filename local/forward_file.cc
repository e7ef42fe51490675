#include "local/forward_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/table/address_list.h"
#include "lib/table/address_lookup.h"
#include "lib/table/source.h"

namespace postern::local {
namespace {

constexpr std::size_t kMaxFile = 256 * 1024;
constexpr std::size_t kMaxDestinations = 1000;
constexpr std::size_t kMaxIncludes = 100;
constexpr int kMaxDepth = 10;

bool absent(const Error& error) { return error.sys == ENOENT || error.sys == ENOTDIR; }

Result<std::string> read_all(sys::Fs& fs, int fd, const std::string& path) {
    std::string text;
    for (;;) {
        TRY_ASSIGN(const std::string piece,
                   fs.read_at(fd, text.size(), kMaxFile + 1 - text.size()));
        text += piece;
        if (text.size() > kMaxFile)
            return Error{Errc::invalid, cat({path, ": larger than 256 kB"})};
        if (piece.empty()) return text;
    }
}

// Is this address the recipient himself?
bool is_own(std::string_view address, const OwnNames& own, bool escaped) {
    const auto parts = table::split_address(address);
    const std::string local = table::unquote_local(parts.local);
    if (!iequals(local, own.user) && !iequals(local, own.local)) return false;
    if (parts.domain.empty() && escaped) return true;
    const std::string& domain = parts.domain.empty() ? own.myorigin : parts.domain;
    return std::any_of(own.domains.begin(), own.domains.end(),
                       [&](const auto& one) { return iequals(one, domain); });
}

Destination destination_of(std::string member, const OwnNames& own, Origin origin) {
    using Kind = Destination::Kind;
    if (member.front() == '|')
        return {Kind::command, std::string(trim(std::string_view(member).substr(1))), origin};
    if (member.front() == '/') return {Kind::file, std::move(member), origin};
    // \name: no forwarding any more. For others than oneself the queue decides anew.
    const bool escaped = member.front() == '\\';
    if (escaped) member.erase(0, 1);
    if (is_own(member, own, escaped)) return {Kind::own_mailbox, {}, origin};
    return {Kind::address, std::move(member), origin};
}

// Follows :include: files; they are read with the recipient's rights and no others.
class Reader {
  public:
    Reader(sys::Fs& fs, const OwnNames& own) : fs_(fs), own_(own) {}

    Result<void> add(std::string_view text, Origin origin, int depth) {
        auto parsed = parse_forward(text, own_, origin);
        for (auto& one : parsed.destinations) {
            const bool known = std::any_of(found_.begin(), found_.end(), [&](const auto& other) {
                return other.kind == one.kind && other.text == one.text;
            });
            if (!known) found_.push_back(std::move(one));
            if (found_.size() > kMaxDestinations)
                return Error{Errc::invalid, "more than 1000 destinations"};
        }
        for (const auto& path : parsed.includes) TRY(include(path, depth + 1));
        return {};
    }
    std::vector<Destination> take() { return std::move(found_); }

  private:
    Result<void> include(const std::string& path, int depth) {
        if (depth > kMaxDepth || ++includes_ > kMaxIncludes)
            return Error{Errc::invalid, cat({"include file ", path, ": nested too deeply"})};
        TRY_ASSIGN(const Fd fd, fs_.open(path, O_RDONLY | O_NONBLOCK, 0));
        TRY_ASSIGN(const auto info, fs_.info(fd.get()));
        if (info.kind != sys::FileInfo::Kind::regular)
            return Error{Errc::invalid, cat({"include file ", path, ": not a regular file"})};
        TRY_ASSIGN(const std::string text, read_all(fs_, fd.get(), path));
        return add(text, Origin::include, depth);
    }

    sys::Fs& fs_;
    const OwnNames& own_;
    std::vector<Destination> found_;
    std::size_t includes_ = 0;
};

// Why this file is none that mail may follow; empty when it may be.
std::string distrust(const sys::FileInfo& info) {
    if (info.kind != sys::FileInfo::Kind::regular) return "is not a regular file";
    if (info.uid != 0 && info.uid != geteuid())
        return cat({"has bad owner uid ", std::to_string(info.uid)});
    if ((info.mode & 0002) != 0) return "is world writable";
    return {};
}

}  // namespace

std::optional<std::string> existing_forward(sys::Fs& fs,
                                            const std::vector<std::string>& candidates) {
    for (const auto& path : candidates) {
        const auto info = fs.info(path);
        if (info || !absent(info.error())) return path;
    }
    return std::nullopt;
}

ForwardText parse_forward(std::string_view text, const OwnNames& own, Origin origin) {
    ForwardText result;
    for (const auto& line : table::logical_lines(text)) {
        for (auto& member : table::split_addresses(line.text)) {
            if (istarts_with(member, ":include:")) {
                result.includes.emplace_back(trim(std::string_view(member).substr(9)));
            } else if (member != "\\") {
                result.destinations.push_back(destination_of(std::move(member), own, origin));
            }
        }
    }
    return result;
}

Result<std::vector<Destination>> read_forward(sys::Fs& fs, const std::string& path,
                                              const OwnNames& own) {
    using Found = std::vector<Destination>;
    const auto folder = fs.info(path.substr(0, std::max<std::size_t>(path.rfind('/'), 1)));
    const auto ignored = [&](const std::string& why) {
        log::warning("", cat({"file ", path, " ", why, ": ignored"}));
        return Found{};
    };
    if (folder && (folder->mode & 0002) != 0)
        return ignored("is in a folder that is world writable");
    auto fd = fs.open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW, 0);
    if (!fd && absent(fd.error())) return Found{};
    if (!fd && fd.error().sys == ELOOP) return ignored("is not a regular file");
    if (!fd && fd.error().code == Errc::denied)
        return ignored("cannot be opened: " + fd.error().what);
    if (!fd) return std::move(fd).error();
    TRY_ASSIGN(const auto info, fs.info(fd->get()));
    if (const auto why = distrust(info); !why.empty()) return ignored(why);
    TRY_ASSIGN(const std::string text, read_all(fs, fd->get(), path));
    Reader reader(fs, own);
    TRY(reader.add(text, Origin::forward, 0));
    return reader.take();
}

}  // namespace postern::local
