// Dialogue: plays what an RFC prints as an example, and compares.
//
//     C: A2 FETCH 1 (UID BODY[TEXT])
//     S: * 1 FETCH (UID <<uid>> BODY[TEXT] {<<size>>}
//     S: body)
//     S: A2 OK ...
//
// A line of C is sent, a line of S is what must come next. A line without either goes on with the
// one above, after a blank; one that begins with "//" is a comment. In a line of S
//     ...        is any text; "S: ..." alone passes over any number of lines, up to one like the
//     next of S
//     <<name>>   is a word (no blank, quote, parenthesis, bracket or brace), which has that name
//     from then on: it must be
//                the same wherever the name comes again, and is put into the lines of C that
//                mention it
// A literal of the client may say {#} or {#+} for its size: it is the lines of C that follow, but
// for the last before an answer or before another literal, which belongs to the command again ("C:"
// alone where nothing follows).
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace postern::support {

class Dialogue {
  public:
    using Send = std::function<void(std::string_view)>;
    // A line with its line end; "" at the end, or when nothing comes.
    using Receive = std::function<std::string()>;

    // Plays the script; the first line that differs is a failure of the test, and ends it: false.
    bool play(std::string_view script, const Send& send, const Receive& receive);

    // What the names stand for; a test may give some itself.
    std::map<std::string, std::string, std::less<>> values;
};

// Whether the line is like the pattern; adds to the values what was new in it. For Dialogue and its
// test.
bool line_matches(std::string_view pattern, std::string_view line,
                  std::map<std::string, std::string, std::less<>>& values);

}  // namespace postern::support
