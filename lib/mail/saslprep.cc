#include "lib/mail/saslprep.h"

#include <algorithm>
#include <vector>

#include "lib/base/strings.h"
#include "lib/mail/icu.h"

namespace postern::mail {
namespace {

constexpr std::size_t kMaxText = 4096;
constexpr int kSaslprepProfile = 10;  // USPREP_RFC4013_SASLPREP

// What <unicode/usprep.h> and <unicode/ustring.h> declare, as far as it is used here.
struct SaslprepApi {
    void* (*open)(int, int*) = nullptr;
    std::int32_t (*prepare)(const void*, const char16_t*, std::int32_t, char16_t*, std::int32_t,
                            std::int32_t, void*, int*) = nullptr;
    char16_t* (*from_utf8)(char16_t*, std::int32_t, std::int32_t*, const char*, std::int32_t,
                           int*) = nullptr;
    char* (*to_utf8)(char*, std::int32_t, std::int32_t*, const char16_t*, std::int32_t,
                     int*) = nullptr;
    const void* profile = nullptr;
};

Result<SaslprepApi> open_saslprep() {
    TRY_ASSIGN(auto icu, open_icu_library());
    SaslprepApi api;
    icu.library.bind(api.open, icu.name("usprep_openByType").c_str())
        .bind(api.prepare, icu.name("usprep_prepare").c_str())
        .bind(api.from_utf8, icu.name("u_strFromUTF8").c_str())
        .bind(api.to_utf8, icu.name("u_strToUTF8").c_str());
    TRY(icu.library.check());
    int error = 0;
    api.profile = api.open(kSaslprepProfile, &error);
    if (api.profile == nullptr || error > 0)
        return Error{Errc::corrupt, cat({"ICU ", icu.release, " has no data for SASLprep"})};
    return api;
}

const Result<SaslprepApi>& saslprep_api() {
    static const Result<SaslprepApi> api = open_saslprep();
    return api;
}

std::optional<std::string> prepared(const SaslprepApi& api, std::string_view utf8) {
    std::vector<char16_t> wide(utf8.size()), out(utf8.size() * 18 + 1);  // NFKC: at most 18-fold
    std::int32_t wide_size = 0, utf8_size = 0;
    int error = 0;
    api.from_utf8(wide.data(), static_cast<std::int32_t>(wide.size()), &wide_size, utf8.data(),
                  static_cast<std::int32_t>(utf8.size()), &error);
    if (error > 0) return std::nullopt;
    const std::int32_t size =
        api.prepare(api.profile, wide.data(), wide_size, out.data(),
                    static_cast<std::int32_t>(out.size()), 0, nullptr, &error);
    if (error > 0) return std::nullopt;
    std::string text(static_cast<std::size_t>(size) * 3, '\0');
    api.to_utf8(text.data(), static_cast<std::int32_t>(text.size()), &utf8_size, out.data(), size,
                &error);
    if (error > 0) return std::nullopt;
    text.resize(static_cast<std::size_t>(utf8_size));
    return text;
}

}  // namespace

std::optional<std::string> saslprep(std::string_view utf8) {
    if (utf8.empty() || utf8.size() > kMaxText) return std::nullopt;
    if (std::any_of(utf8.begin(), utf8.end(), is_control)) return std::nullopt;
    const bool ascii = std::all_of(utf8.begin(), utf8.end(),
                                   [](char c) { return static_cast<unsigned char>(c) < 128; });
    if (ascii) return std::string(utf8);
    if (!saslprep_api()) return std::nullopt;
    auto text = prepared(*saslprep_api(), utf8);
    if (text && text->empty()) return std::nullopt;
    return text;
}

Result<void> load_saslprep() {
    if (!saslprep_api()) return Error(saslprep_api().error());
    return {};
}

}  // namespace postern::mail
