#include "lib/mailbox/keyword_log.h"

#include "lib/base/crc32c.h"
#include "lib/base/strings.h"

namespace postern::mailbox {
namespace {

constexpr std::string_view kMagic = "postern-log";
constexpr std::size_t kCompactAbove = 4096;  // lines, when most of them are superseded

std::string hex32(std::uint32_t value) {
    std::string out(8, '0');
    for (std::size_t i = 8; i-- > 0; value >>= 4) out[i] = "0123456789abcdef"[value & 15];
    return out;
}

}  // namespace

Result<void> KeywordLog::refresh(std::uint32_t validity, const std::function<void(Uid)>& changed) {
    expected_validity_ = validity;
    changed_ = &changed;
    auto exists = log_.refresh({[this](std::string_view header) { on_header(header); },
                                [this](std::string_view text) { on_line(text); }});
    changed_ = nullptr;
    if (!exists) return std::move(exists).error();
    if (!*exists) file_validity_ = 0;
    return {};
}

void KeywordLog::on_header(std::string_view header) {
    bits_.clear();
    lines_ = 0;
    (*changed_)(0);
    const auto words = split_words(header, " ");
    const bool ours = words.size() >= 3 && words[0] == kMagic && words[1] == "1";
    file_validity_ = ours ? parse_number<std::uint32_t>(words[2]).value_or(0) : 0;
}

void KeywordLog::on_line(std::string_view text) {
    ++lines_;
    if (file_validity_ == 0 || file_validity_ != expected_validity_) return;
    const auto parts = split_once(text, ' ');
    if (!parts || parts->first != hex32(crc32c(parts->second))) return;
    const auto words = split_words(parts->second, " ");
    const auto uid = words.empty() ? std::nullopt : parse_number<Uid>(words[0]);
    if (!uid) return;
    KeywordBits found = 0;
    for (std::size_t i = 1; i < words.size(); ++i) found |= intern(words[i]);
    if (found == 0)
        bits_.erase(*uid);
    else
        bits_[*uid] = found;
    (*changed_)(*uid);
}

KeywordBits KeywordLog::bits(Uid uid) const {
    const auto at = bits_.find(uid);
    return at == bits_.end() ? 0 : at->second;
}

KeywordBits KeywordLog::intern(std::string_view name) {
    for (std::size_t i = 0; i < names_.size(); ++i)
        if (iequals(names_[i], name)) return KeywordBits{1} << i;
    if (names_.size() >= kMaxKeywords || !is_keyword(name)) return 0;
    names_.emplace_back(name);
    return KeywordBits{1} << (names_.size() - 1);
}

std::string KeywordLog::line(Uid uid, KeywordBits bits) const {
    std::string rest = std::to_string(uid);
    for (std::size_t i = 1; i < names_.size(); ++i)
        if ((bits >> i & 1) != 0) rest += cat({" ", names_[i]});
    return cat({hex32(crc32c(rest)), " ", rest, "\n"});
}

Result<void> KeywordLog::write(std::uint32_t validity,
                               const std::vector<std::pair<Uid, KeywordBits>>& changes) {
    std::string lines;
    for (const auto& [uid, bits] : changes) {
        const KeywordBits kept = bits & ~KeywordBits{1};
        lines += line(uid, kept);
        if (kept == 0)
            bits_.erase(uid);
        else
            bits_[uid] = kept;
    }
    const bool crowded = lines_ > kCompactAbove && lines_ / 4 > bits_.size();
    if (file_validity_ != validity || log_.torn() || crowded) return rewrite(validity);
    return log_.append(lines, true);
}

Result<void> KeywordLog::rewrite(std::uint32_t validity) {
    std::string content = cat({kMagic, " 1 ", std::to_string(validity), "\n"});
    for (const auto& [uid, bits] : bits_) content += line(uid, bits);
    return log_.replace(content);
}

}  // namespace postern::mailbox
