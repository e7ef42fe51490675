// A message through cleanup's filter with rules that look at everything: whatever comes in, in
// whatever portions, what was not touched comes out as it was.
#include <cstdint>
#include <string>
#include <string_view>

#include "lib/base/check.h"

#include "cleanup/message_filter.h"

namespace {

using postern::Lookup;
using postern::NotFound;
using postern::cleanup::MessageFilter;
using postern::cleanup::Options;
using postern::content::Kind;
using postern::content::Rules;

struct Watch final : Rules {
    bool wants(Kind) const override { return true; }
    Lookup<std::string> find(Kind, std::string_view text) override {
        if (edit && text.size() % 3 == 0)
            return std::string(text.size() % 2 == 0 ? "IGNORE" : "PREPEND X: y");
        return NotFound{};
    }
    bool edit = false;
};

std::string filtered(std::string_view text, std::size_t portion, bool edit) {
    const Options options;
    Watch rules;
    rules.edit = edit;
    MessageFilter filter(options, {}, &rules);
    std::string out;
    for (std::size_t at = 0; at < text.size(); at += portion)
        filter.feed(text.substr(at, portion), out);
    filter.finish(out);
    return filter.refusal() ? "refused" : out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const std::string whole = filtered(text, size + 1, false);
    POSTERN_CHECK(filtered(text, 3, false) == whole);
    const Options options;
    MessageFilter plain(options, {});
    std::string out;
    plain.feed(text, out);
    plain.finish(out);
    POSTERN_CHECK((plain.refusal() ? "refused" : out) == whole);
    (void)filtered(text, size + 1, true);
    return 0;
}
