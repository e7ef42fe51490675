// What a milter may answer: negotiation, outcomes, changes of text and envelope.
#include "lib/milter/dialogue.h"

namespace milter = postern::milter;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    milter::Dialogue dialogue(6, 1 << 20);
    (void)dialogue.negotiate();
    dialogue.feed({reinterpret_cast<const char*>(data), size});
    milter::Text text("Received: us\r\nA: b\r\n\r\nbody\r\n", true);
    std::vector<milter::EnvelopeEdit> envelope;
    bool progress = false;
    dialogue.begin_text();
    for (int i = 0; i < 100; ++i) {
        const auto outcome = dialogue.take(text, envelope, progress);
        if (!outcome || !outcome->has_value()) break;
        if (!dialogue.text_done()) (void)dialogue.text(text, {{"i", "x"}}, {});
    }
    // Whatever was put in: no line end alone, and the header ends once.
    const auto message = text.str();
    for (std::size_t at = message.find('\n'); at != std::string::npos; at = message.find('\n', at + 1)) {
        if (at == 0 || message[at - 1] != '\r') __builtin_trap();
    }
    return 0;
}
