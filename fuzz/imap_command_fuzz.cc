// IMAP: the reader with its literals, then the parser of every command that comes out.
#include <cstdint>
#include <string_view>

#include "lib/imap/command.h"
#include "lib/imap/command_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using postern::imap::CommandReader;
    std::string_view input(reinterpret_cast<const char*>(data), size);
    CommandReader reader({4096, 4096});
    for (;;) {
        const auto event = reader.feed(input);
        if (event == CommandReader::Event::need_more) return 0;
        if (event == CommandReader::Event::complete) {
            auto command = postern::imap::parse_command(reader.text());
            if (command) {
                if (auto* search =
                        std::get_if<postern::imap::SearchArguments>(&command->arguments)) {
                    (void)postern::imap::convert_texts(search->key, search->charset).has_value();
                }
            }
        } else if (event == CommandReader::Event::literal) {
            if (postern::imap::is_append_with_message(reader.text())) {
                reader.stream_literal();
            } else if (reader.fits(reader.literal())) {
                reader.keep_literal();
            } else {
                reader.refuse_literal();
            }
        }
    }
}
