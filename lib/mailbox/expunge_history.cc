#include "lib/mailbox/expunge_history.h"

#include <algorithm>

#include "lib/mailbox/change_log.h"

namespace postern::mailbox {
namespace {

class Collector final : public ChangeSink {
  public:
    Collector(std::uint64_t since, Uid limit) : since_(since), limit_(limit) {}

    void on_expunge(UidRange uids, std::uint64_t modseq) override {
        if (modseq <= since_ || uids.first >= limit_) return;
        for (Uid uid = uids.first; uid <= std::min(uids.last, limit_ - 1); ++uid)
            found.push_back(uid);
    }
    void on_new(const NewMessage&, std::uint64_t) override {}
    void on_flags(const FlagChange&, UidRange, std::uint64_t) override {}
    void on_name(std::uint32_t, std::uint8_t, std::string_view) override {}
    void on_keyword(unsigned, std::string_view) override {}
    void on_seen(const SeenState&) override {}
    void on_numbers(std::uint32_t, std::uint32_t) override {}

    std::vector<Uid> found;

  private:
    std::uint64_t since_;
    Uid limit_;
};

}  // namespace

Result<std::optional<std::vector<Uid>>> read_expunged(sys::Fs& fs, const std::string& folder,
                                                      std::uint32_t validity, std::uint64_t modseq,
                                                      Uid limit) {
    ChangeLog log(fs, folder);
    Collector collector(modseq, limit);
    TRY_ASSIGN(const auto followed, log.restart(collector));
    const bool good = followed == ChangeLog::Followed::news && log.validity() == validity &&
                      log.first_modseq() != 0;
    bool reaches = good && log.first_modseq() <= modseq;
    if (good && !reaches) {
        ChangeLog older = ChangeLog::previous(fs, folder);
        TRY_ASSIGN(const auto read, older.restart(collector));
        // Without a gap between the two.
        reaches = read == ChangeLog::Followed::news && older.validity() == validity &&
                  older.first_modseq() != 0 && older.first_modseq() <= modseq &&
                  older.modseq() >= log.first_modseq();
    }
    if (!reaches) return std::optional<std::vector<Uid>>();
    std::sort(collector.found.begin(), collector.found.end());
    const auto end = std::unique(collector.found.begin(), collector.found.end());
    collector.found.erase(end, collector.found.end());
    return std::optional(std::move(collector.found));
}

}  // namespace postern::mailbox
