// The text form of tables, as postmap and postalias read it: logical lines, "key value" and
// "name: value". Pure parsing; read_file() alone touches a file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"

struct stat;

namespace postern::table {

// One entry line with its continuation lines (those that begin with white space) joined.
struct LogicalLine {
    int number = 0;  // of the first physical line, from 1
    std::string text;
};

// Empty lines and lines whose first non-blank character is '#' are left out, also between a line
// and its continuation.
std::vector<LogicalLine> logical_lines(std::string_view text);

struct KeyValue {
    std::string key;
    std::string value;
};

// "key white-space value"; a quoted part of the key may hold white space. Nothing when there is no
// value or a quote is left open.
std::optional<KeyValue> split_map_entry(std::string_view line);

// "name: value" of aliases(5); quotes around the name are removed, its case kept. Nothing when that
// is not its form.
std::optional<KeyValue> split_alias_entry(std::string_view line);

// Splits "a, b { c, d } e" at commas and white space outside braces; empty parts vanish.
std::vector<std::string> split_list(std::string_view text);

// Removes one pair of braces around the text, and the white space inside them.
// Errc::invalid when a brace is not closed or something follows it.
Result<std::string> strip_braces(std::string_view text);

// The whole file. Errc::not_found, denied, temporary; invalid when larger than kMaxFileSize.
Result<std::string> read_file(const std::string& path);

// Identity of a file's contents; differs after a replacement and after a change in place.
struct FileStamp {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint64_t size = 0;
    std::int64_t mtime_ns = 0;
    bool operator==(const FileStamp&) const = default;
};
FileStamp stamp_from(const struct stat& status);
Result<FileStamp> stamp_of(const std::string& path);  // follows symbolic links

// A text file that is read again when it has changed. One that somebody is writing in place keeps
// its old text until nobody has touched it for a moment; one that was replaced by rename is new at
// once.
class FileWatch {
  public:
    explicit FileWatch(std::string path) : path_(std::move(path)) {}

    const std::string& path() const { return path_; }
    // The text when it has to be read anew: at first and after a change; otherwise nothing.
    Result<std::optional<std::string>> read_if_changed();

  private:
    std::string path_;
    std::optional<FileStamp> stamp_;
};

}  // namespace postern::table
