#include "lib/table/regex.h"

#include <regex.h>

#include <array>
#include <cstdint>

#include "lib/base/strings.h"
#include "lib/base/shared_library.h"

namespace postern::table {
namespace {

constexpr std::size_t kMaxGroups = 100;

class PosixRegex final : public Regex {
  public:
    PosixRegex() = default;
    ~PosixRegex() override {
        if (compiled_) regfree(&regex_);
    }
    PosixRegex(const PosixRegex&) = delete;
    PosixRegex& operator=(const PosixRegex&) = delete;

    Result<void> compile(const std::string& pattern, int flags) {
        const int error = regcomp(&regex_, pattern.c_str(), flags);
        if (error != 0) {
            std::array<char, 200> text{};
            regerror(error, &regex_, text.data(), text.size());
            return Error{Errc::invalid, text.data()};
        }
        compiled_ = true;
        return {};
    }

    Match match(const std::string& subject, Groups& groups) const override {
        std::vector<regmatch_t> at(std::min(regex_.re_nsub + 1, kMaxGroups));
        const int error = regexec(&regex_, subject.c_str(), at.size(), at.data(), 0);
        if (error == REG_NOMATCH) return Match::no;
        if (error != 0) return Match::failed;
        for (const regmatch_t& part : at) {
            const bool caught = part.rm_so >= 0;
            const auto start = caught ? static_cast<std::size_t>(part.rm_so) : 0;
            const auto end = caught ? static_cast<std::size_t>(part.rm_eo) : 0;
            groups.push_back(std::string_view(subject).substr(start, end - start));
        }
        return Match::yes;
    }

    std::size_t groups() const override { return regex_.re_nsub; }

  private:
    regex_t regex_{};
    bool compiled_ = false;
};

// What <pcre2.h> declares, as far as it is used here (PCRE2 10, 8-bit library).
struct PcreCode;
struct PcreData;
struct PcreContext;
constexpr std::uint32_t kCaseless = 0x8, kDollarEndOnly = 0x10, kDotAll = 0x20, kExtended = 0x80,
                        kMultiline = 0x400, kUngreedy = 0x40000, kAnchored = 0x80000000;
constexpr int kNoMatch = -1;
constexpr std::uint32_t kCaptureCount = 4;  // PCRE2_INFO_CAPTURECOUNT
// Backtracking that no sensible pattern needs; beyond it a lookup fails instead of taking for ever.
constexpr std::uint32_t kMatchLimit = 1'000'000;

struct PcreApi {
    PcreCode* (*compile)(const unsigned char*, std::size_t, std::uint32_t, int*, std::size_t*,
                         void*) = nullptr;
    void (*code_free)(PcreCode*) = nullptr;
    PcreData* (*data_create)(const PcreCode*, void*) = nullptr;
    void (*data_free)(PcreData*) = nullptr;
    int (*match)(const PcreCode*, const unsigned char*, std::size_t, std::size_t, std::uint32_t,
                 PcreData*, PcreContext*) = nullptr;
    std::size_t* (*ovector)(PcreData*) = nullptr;
    int (*message)(int, unsigned char*, std::size_t) = nullptr;
    PcreContext* (*context_create)(void*) = nullptr;
    void (*context_free)(PcreContext*) = nullptr;
    int (*pattern_info)(const PcreCode*, std::uint32_t, void*) = nullptr;
    int (*set_match_limit)(PcreContext*, std::uint32_t) = nullptr;

    static Result<PcreApi> load() {
        TRY_ASSIGN(SharedLibrary library, SharedLibrary::open("libpcre2-8.so.0", "libpcre2-8-0"));
        PcreApi api;
        library.bind(api.compile, "pcre2_compile_8")
            .bind(api.code_free, "pcre2_code_free_8")
            .bind(api.data_create, "pcre2_match_data_create_from_pattern_8")
            .bind(api.data_free, "pcre2_match_data_free_8")
            .bind(api.match, "pcre2_match_8")
            .bind(api.ovector, "pcre2_get_ovector_pointer_8")
            .bind(api.message, "pcre2_get_error_message_8")
            .bind(api.context_create, "pcre2_match_context_create_8")
            .bind(api.context_free, "pcre2_match_context_free_8")
            .bind(api.pattern_info, "pcre2_pattern_info_8")
            .bind(api.set_match_limit, "pcre2_set_match_limit_8");
        TRY(library.check());
        return api;
    }
};

class PcreRegex final : public Regex {
  public:
    explicit PcreRegex(const PcreApi& api) : api_(api) {}
    ~PcreRegex() override {
        if (data_ != nullptr) api_.data_free(data_);
        if (context_ != nullptr) api_.context_free(context_);
        if (code_ != nullptr) api_.code_free(code_);
    }
    PcreRegex(const PcreRegex&) = delete;
    PcreRegex& operator=(const PcreRegex&) = delete;

    Result<void> compile(const std::string& pattern, std::uint32_t options) {
        int error = 0;
        std::size_t offset = 0;
        code_ = api_.compile(reinterpret_cast<const unsigned char*>(pattern.data()), pattern.size(),
                             options, &error, &offset, nullptr);
        if (code_ == nullptr) {
            std::array<unsigned char, 200> text{};
            api_.message(error, text.data(), text.size());
            return Error{Errc::invalid, cat({reinterpret_cast<const char*>(text.data()),
                                             " at character ", std::to_string(offset)})};
        }
        data_ = api_.data_create(code_, nullptr);
        context_ = api_.context_create(nullptr);
        if (data_ == nullptr || context_ == nullptr) return Error{Errc::temporary, "out of memory"};
        api_.set_match_limit(context_, kMatchLimit);
        api_.pattern_info(code_, kCaptureCount, &groups_);
        return {};
    }

    Match match(const std::string& subject, Groups& groups) const override {
        const int count = api_.match(code_, reinterpret_cast<const unsigned char*>(subject.data()),
                                     subject.size(), 0, 0, data_, context_);
        if (count == kNoMatch) return Match::no;
        if (count < 0) return Match::failed;
        const std::size_t* at = api_.ovector(data_);
        for (std::size_t i = 0; i < static_cast<std::size_t>(count) && i < kMaxGroups; ++i) {
            const bool caught = at[2 * i] <= at[2 * i + 1] && at[2 * i + 1] <= subject.size();
            groups.push_back(
                caught ? std::string_view(subject).substr(at[2 * i], at[2 * i + 1] - at[2 * i])
                       : std::string_view());
        }
        return Match::yes;
    }

    std::size_t groups() const override { return groups_; }

  private:
    const PcreApi api_;
    std::uint32_t groups_ = 0;
    PcreCode* code_ = nullptr;
    PcreData* data_ = nullptr;
    PcreContext* context_ = nullptr;
};

std::uint32_t pcre_flag(char letter) {
    switch (letter) {
        case 'i': return kCaseless;
        case 'm': return kMultiline;
        case 's': return kDotAll;
        case 'x': return kExtended;
        case 'A': return kAnchored;
        case 'E': return kDollarEndOnly;
        case 'U': return kUngreedy;
        default: return 0;
    }
}

Error unknown_letter(std::string_view engine, char letter) {
    return {Errc::invalid, cat({"unknown ", engine, " option: ", std::string(1, letter)})};
}

}  // namespace

Result<std::unique_ptr<Regex>> compile_posix(const std::string& pattern, std::string_view letters) {
    int flags = REG_EXTENDED | REG_ICASE;
    for (const char letter : letters) {
        const int flag = letter == 'i'   ? REG_ICASE
                         : letter == 'm' ? REG_NEWLINE
                         : letter == 'x' ? REG_EXTENDED
                                         : 0;
        if (flag == 0) return unknown_letter("regexp", letter);
        flags ^= flag;
    }
    auto regex = std::make_unique<PosixRegex>();
    TRY(regex->compile(pattern, flags));
    return std::unique_ptr<Regex>(std::move(regex));
}

Result<std::unique_ptr<Regex>> compile_pcre(const std::string& pattern, std::string_view letters) {
    TRY_ASSIGN(const PcreApi api, PcreApi::load());
    std::uint32_t options = kCaseless | kDotAll;
    for (const char letter : letters) {
        const std::uint32_t flag = pcre_flag(letter);
        if (flag == 0 && letter != 'X')
            return unknown_letter("pcre", letter);  // X: always so in PCRE2
        options ^= flag;
    }
    auto regex = std::make_unique<PcreRegex>(api);
    TRY(regex->compile(pattern, options));
    return std::unique_ptr<Regex>(std::move(regex));
}

}  // namespace postern::table
