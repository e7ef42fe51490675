// What postcat shows of a message, in the form that Postfix's postcat has. Pure.
#pragma once

#include <string>
#include <string_view>

#include "lib/queue/maildrop.h"
#include "lib/queue/reader.h"

namespace postern::commands {

struct PostcatOptions {
    bool envelope = false, header = false, body = false;
    bool record_types = false;  // -d: the number of each record's type
    bool offsets = false;       // -o: where the text's lines are in the file
    bool file_order = false;  // -r: the text first, the envelope after it, as they lie in the file
    std::uint64_t start = 0;  // -s: lines of text that begin before this byte are left out

    bool whole_text() const { return header && body; }
};

// "*** ENVELOPE RECORDS hold/4Xy… ***" and the records; empty unless the envelope is wanted.
std::string show_envelope(const PostcatOptions& options, const std::string& file,
                          const queue::Message& message);
std::string show_envelope(const PostcatOptions& options, const std::string& file,
                          const queue::MaildropEnvelope& envelope, std::uint64_t content_size);
// "*** MESSAGE CONTENTS … ***", or the other marks; empty unless the envelope is wanted.
std::string show_mark(const PostcatOptions& options, std::string_view text,
                      const std::string& file);

// The message's text with LF, in portions, without the parts that are not wanted.
class TextPrinter {
  public:
    TextPrinter(const PostcatOptions& options, std::uint64_t offset)
        : options_(options), offset_(offset) {}
    std::string feed(std::string_view bytes);

  private:
    const PostcatOptions& options_;
    std::uint64_t offset_;
    bool in_header_ = true;
    std::string partial_;
};

}  // namespace postern::commands
