// The main.cf language: logical lines, "name = value", comments; and edits that keep the layout.
// Pure. Values are not expanded here (expand.h).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"

namespace postern::config {

// Something wrong (or, where error is false, worth telling) at a place in a configuration file.
struct Problem {
    std::string file;
    int line = 0;           // 0: no particular line
    std::string parameter;  // or "smtp/inet" for a master.cf entry; may be empty
    std::string text;       // what is bad and what would be right
    bool error = true;

    // "file, line 3: parameter: text"
    std::string str() const;
};

// A line with its continuation lines (those that begin with white space). Comment lines (first
// visible character #) and empty lines count for nothing, not even inside a continued line.
struct LogicalLine {
    std::string text;
    int line = 0;  // of its first line, from 1
};
Result<std::vector<LogicalLine>> logical_lines(std::string_view text, std::string_view file);
// The same, going on after a bad line, which becomes a problem.
std::vector<LogicalLine> logical_lines(std::string_view text, std::string_view file,
                                       std::vector<Problem>& problems);

// The physical line, of those of the logical line that begins at `first`, on which a word stands;
// `first` where none does.
int line_of_word(std::string_view text, int first, std::string_view word);

// Longer files are refused; a table does not belong there.
inline constexpr std::size_t kMaxFile = 16 << 20;  // bytes

struct MainEntry {
    std::string name;
    std::string value;
    int line = 0;
};
// Entries in the order of the file; a name may occur more than once (the last one counts).
Result<std::vector<MainEntry>> parse_main_cf(std::string_view text, std::string_view file);
// The same, going on after a bad entry, which becomes a problem.
std::vector<MainEntry> parse_main_cf(std::string_view text, std::string_view file,
                                     std::vector<Problem>& problems);

// "name = value" from a command line or from -o (where no white space surrounds the sign).
Result<MainEntry> parse_assignment(std::string_view text);

struct MainEdit {
    enum class Kind : unsigned char { set, comment_out, remove };
    Kind kind = Kind::set;
    std::string name;
    std::string value;
};
// The file with the edits made: an entry is replaced where it stands, a new one comes last, every
// other line stays as it is. Further entries of an edited name go away.
std::string edit_main_cf(std::string_view text, const std::vector<MainEdit>& edits);

// "file, line 3: "
std::string place(std::string_view file, int line);

}  // namespace postern::config
