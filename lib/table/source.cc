#include "lib/table/source.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <chrono>

#include "lib/base/strings.h"
#include "lib/sys/error.h"
#include "lib/sys/fs.h"
#include "lib/table/table.h"

namespace postern::table {
namespace {

// A file that was changed in place less long ago may be half-written.
constexpr std::chrono::milliseconds kSettled{50};

std::chrono::nanoseconds age_of(const FileStamp& stamp) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const auto age = std::chrono::duration_cast<std::chrono::nanoseconds>(now) -
                     std::chrono::nanoseconds(stamp.mtime_ns);
    return age < age.zero() ? kSettled : age;  // a time in the future says nothing
}

}  // namespace

std::vector<LogicalLine> logical_lines(std::string_view text) {
    std::vector<LogicalLine> lines;
    int number = 0;
    while (!text.empty()) {
        const auto end = text.find('\n');
        const auto line = trim_right(text.substr(0, end));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        ++number;
        const auto content = trim_left(line);
        if (content.empty() || content.front() == '#') continue;
        if (is_space(line.front()) && !lines.empty()) {
            lines.back().text += line;
        } else {
            lines.push_back({number, std::string(line)});
        }
    }
    return lines;
}

std::optional<KeyValue> split_map_entry(std::string_view line) {
    bool quoted = false;
    std::size_t at = 0;
    for (; at < line.size(); ++at) {
        if (line[at] == '\\') {
            ++at;
        } else if (line[at] == '"') {
            quoted = !quoted;
        } else if (is_space(line[at]) && !quoted) {
            break;
        }
    }
    if (quoted || at >= line.size()) return std::nullopt;
    const auto key = trim(line.substr(0, at));
    const auto value = trim(line.substr(at));
    if (key.empty() || value.empty()) return std::nullopt;
    return KeyValue{std::string(key), std::string(value)};
}

std::optional<KeyValue> split_alias_entry(std::string_view line) {
    std::string name;
    std::size_t at = 0;
    bool quoted = false;
    for (; at < line.size() && (quoted || line[at] != ':'); ++at) {
        if (line[at] == '\\' && quoted && at + 1 < line.size()) {
            name += line[++at];
        } else if (line[at] == '"') {
            quoted = !quoted;
        } else {
            name += line[at];
        }
    }
    if (at >= line.size()) return std::nullopt;
    const auto key = trim(name);
    const auto value = trim(line.substr(at + 1));
    if (key.empty() || value.empty()) return std::nullopt;
    return KeyValue{std::string(key), std::string(value)};
}

std::vector<std::string> split_list(std::string_view text) {
    std::vector<std::string> parts;
    std::string part;
    int depth = 0;
    for (const char c : text) {
        if (depth == 0 && (c == ',' || is_space(c))) {
            if (!part.empty()) parts.push_back(std::move(part));
            part.clear();
            continue;
        }
        if (c == '{') ++depth;
        if (c == '}' && depth > 0) --depth;
        part += c;
    }
    if (!part.empty()) parts.push_back(std::move(part));
    return parts;
}

Result<std::string> strip_braces(std::string_view text) {
    if (text.empty() || text.front() != '{') return std::string(text);
    int depth = 0;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] == '{') ++depth;
        if (text[at] != '}' || --depth > 0) continue;
        if (at + 1 < text.size()) {
            return Error{Errc::invalid, cat({"\"", text, "\": text after '}'"})};
        }
        return std::string(trim(text.substr(1, at - 1)));
    }
    return Error{Errc::invalid, cat({"\"", text, "\": missing '}'"})};
}

Result<std::string> read_file(const std::string& path) {
    auto& fs = sys::RealFs::instance();
    TRY_ASSIGN(const Fd file, fs.open(path, O_RDONLY | O_NONBLOCK, 0));
    TRY_ASSIGN(const auto info, fs.info(file.get()));
    using Kind = sys::FileInfo::Kind;
    if (info.kind == Kind::directory) {
        return Error{Errc::invalid, cat({"read ", path, ": Is a directory"})};
    }
    if (info.kind == Kind::fifo || info.kind == Kind::socket)
        return Error{Errc::invalid, cat({"read ", path, ": not a regular file"})};
    std::string content;
    for (;;) {
        TRY_ASSIGN(const auto piece, fs.read_at(file.get(), content.size(), 1u << 20));
        if (piece.empty()) return content;
        content += piece;
        if (content.size() > kMaxFileSize) {
            return Error{Errc::invalid, cat({"read ", path, ": file is too large"})};
        }
    }
}

FileStamp stamp_from(const struct stat& st) {
    return FileStamp{st.st_dev, st.st_ino, static_cast<std::uint64_t>(st.st_size),
                     st.st_mtim.tv_sec * 1'000'000'000 + st.st_mtim.tv_nsec};
}

Result<FileStamp> stamp_of(const std::string& path) {
    struct stat st {};
    if (stat(path.c_str(), &st) != 0) return sys::system_error(cat({"open ", path}));
    return stamp_from(st);
}

Result<std::optional<std::string>> FileWatch::read_if_changed() {
    auto found = stamp_of(path_);
    if (!found) {
        stamp_.reset();  // what comes next is another file, even with the same number
        return std::move(found).error();
    }
    const FileStamp now = *found;
    if (stamp_ && now == *stamp_) return std::optional<std::string>();
    const bool in_place = stamp_ && now.inode == stamp_->inode && now.device == stamp_->device;
    if (in_place && age_of(now) < kSettled) return std::optional<std::string>();
    TRY_ASSIGN(std::string text, read_file(path_));
    stamp_ = now;
    return std::optional(std::move(text));
}

}  // namespace postern::table
