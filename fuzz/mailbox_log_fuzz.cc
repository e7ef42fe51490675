// postern.log: frames as a damaged disk may have them. Besides surviving, what is read must stay
// within the frames. The checksum keeps random bytes out, so the payload is read without it too.
#include <cstdint>
#include <string_view>

#include "lib/base/check.h"
#include "lib/mailbox/change_log.h"
#include "lib/mailbox/flags.h"

namespace {

class Sink final : public postern::mailbox::ChangeSink {
  public:
    void on_new(const postern::mailbox::NewMessage& m, std::uint64_t) override {
        POSTERN_CHECK(m.uid != 0 && !m.name.empty());
    }
    void on_flags(const postern::mailbox::FlagChange&, postern::mailbox::UidRange uids,
                  std::uint64_t) override {
        POSTERN_CHECK(uids.first <= uids.last);
    }
    void on_expunge(postern::mailbox::UidRange uids, std::uint64_t) override {
        POSTERN_CHECK(uids.first != 0);
    }
    void on_name(std::uint32_t, std::uint8_t, std::string_view name) override {
        POSTERN_CHECK(!name.empty());
    }
    void on_keyword(unsigned bit, std::string_view) override {
        POSTERN_CHECK(bit < postern::mailbox::kMaxKeywords);
    }
    void on_seen(const postern::mailbox::SeenState&) override {}
    void on_numbers(std::uint32_t, std::uint32_t) override {}
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    Sink sink;
    const auto frames = postern::mailbox::read_frames(bytes, 7, 40, sink);
    POSTERN_CHECK(frames.size <= bytes.size());
    (void)postern::mailbox::read_changes(bytes, 1, sink);
    return 0;
}
