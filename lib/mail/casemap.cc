#include "lib/mail/casemap.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>

#include "lib/base/strings.h"
#include "lib/mail/charset.h"
#include "lib/mail/icu.h"

namespace postern::mail {
namespace {

constexpr std::size_t kManyKnown = 20'000;  // characters; more than any language has in its mail
constexpr int kLongestDecomposition = 32;   // U+FDFA has 18

// What <unicode/uchar.h> and <unicode/unormalizer2.h> declare, as far as it is used here.
struct IcuApi {
    std::int32_t (*title)(std::int32_t) = nullptr;
    const void* (*compatibility)(int*) = nullptr;
    std::int32_t (*decomposition)(const void*, std::int32_t, char16_t*, std::int32_t,
                                  int*) = nullptr;
    const void* normalizer = nullptr;
};

Result<IcuApi> open_icu() {
    TRY_ASSIGN(auto icu, open_icu_library());
    IcuApi api;
    icu.library.bind(api.title, icu.name("u_totitle").c_str())
        .bind(api.compatibility, icu.name("unorm2_getNFKDInstance").c_str())
        .bind(api.decomposition, icu.name("unorm2_getDecomposition").c_str());
    TRY(icu.library.check());
    int error = 0;
    api.normalizer = api.compatibility(&error);
    if (api.normalizer == nullptr || error > 0)
        return Error{Errc::corrupt, cat({"ICU ", icu.release, " has no data for normalization"})};
    return api;
}

const Result<IcuApi>& icu() {
    static const Result<IcuApi> api = open_icu();
    return api;
}

// RFC 5051 2: title case first, then canonical and compatibility decomposition, to the end. ASCII
// that comes out is folded as all ASCII is: "fi" as one character is found by "fi", where the RFC,
// whose letters are upper case, would not find it.
std::string mapped(const IcuApi& api, char32_t code) {
    std::array<char16_t, kLongestDecomposition> units{};
    int error = 0;
    const std::int32_t title = api.title(static_cast<std::int32_t>(code));
    const std::int32_t size =
        api.decomposition(api.normalizer, title, units.data(), kLongestDecomposition, &error);
    std::string out;
    const auto add = [&out](char32_t one) {
        append_utf8(out,
                    one < 0x80 ? static_cast<char32_t>(to_lower(static_cast<char>(one))) : one);
    };
    if (error > 0 || size < 0 || size > kLongestDecomposition) {
        add(static_cast<char32_t>(title));
        return out;
    }
    for (std::int32_t i = 0; i < size; ++i) {
        const char32_t unit = units[static_cast<std::size_t>(i)];
        const bool pair = unit >= 0xD800 && unit < 0xDC00 && i + 1 < size;
        const char32_t low = pair ? units[static_cast<std::size_t>(++i)] : char32_t{0};
        add(pair ? 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00) : unit);
    }
    return out;
}

// What was asked before. The texts stay where they are.
class Known {
  public:
    const std::string_view* find(const IcuApi& api, char32_t code) {
        const auto known = texts_.find(code);
        if (known != texts_.end()) return &known->second;
        if (texts_.size() >= kManyKnown) {
            texts_.clear();
            bytes_.clear();
        }
        bytes_.push_back(mapped(api, code));
        return &texts_.emplace(code, bytes_.back()).first->second;
    }

  private:
    std::deque<std::string> bytes_;
    std::unordered_map<char32_t, std::string_view> texts_;
};

std::atomic<bool>& was_needed() {
    static std::atomic<bool> needed = false;
    return needed;
}

}  // namespace

const std::string_view* casemap(char32_t code) {
    thread_local Known known;
    was_needed().store(true, std::memory_order_relaxed);
    return icu() ? known.find(*icu(), code) : nullptr;
}

Result<void> load_casemap() {
    if (!icu()) return Error(icu().error());
    return {};
}

std::string casemap_trouble() {
    return was_needed().load(std::memory_order_relaxed) && !icu() ? icu().error().what : "";
}

}  // namespace postern::mail
