#include "auth/token_checker.h"

#include <algorithm>

#include "lib/base/strings.h"
#include "lib/crypto/secret.h"
#include "lib/ipc/messages/token.h"
#include "lib/log/log.h"
#include "lib/sys/file.h"
#include "lib/sys/fs.h"

namespace postern::auth {
namespace {

constexpr std::size_t kMaxKeyText = 64 * 1024;
constexpr std::size_t kMaxKeyFiles = 100;
constexpr Seconds kKeysAge{
    10};  // issuers change their keys; a folder does not tell of changed files

Result<void> add_keys(const std::string& path, std::string_view name,
                      std::vector<sasl::TokenKey>& keys) {
    TRY_ASSIGN(const std::string text, sys::read_file(path, kMaxKeyText));
    if (trim_left(text).starts_with("-----BEGIN ")) {
        auto key = crypto::VerifyingKey::from_pem(text);
        if (!key) return std::move(key).error().within(path);
        keys.push_back({std::string(name), std::nullopt, *std::move(key)});
        return {};
    }
    auto set = sasl::parse_jwks(text);
    if (!set) return std::move(set).error().within(path);
    for (auto& key : *set) keys.push_back(std::move(key));
    return {};
}

}  // namespace

Result<std::vector<sasl::TokenKey>> read_token_keys(const std::string& path) {
    auto& fs = sys::RealFs::instance();
    std::vector<sasl::TokenKey> keys;
    const auto entries = fs.list(path);
    if (!entries) {
        TRY(add_keys(path, "", keys));
        return keys;
    }
    std::vector<std::string> names;
    for (const auto& entry : *entries)
        if (!entry.name.starts_with('.')) names.push_back(entry.name);
    std::sort(names.begin(), names.end());
    if (names.size() > kMaxKeyFiles)
        return Error{Errc::invalid, cat({path, ": more than 100 files with keys"}), 0};
    for (const auto& name : names)
        TRY(add_keys(cat({path, "/", name}), name.substr(0, name.rfind('.')), keys));
    return keys;
}

TokenChecker::TokenChecker(loop::Loop& loop, TokenOptions options)
    : loop_(loop), options_(std::move(options)), introspector_(loop, options_.introspect_path) {}

void TokenChecker::check(const std::string& token, std::string_view trace, Done done) {
    if (!options_.keys.empty() && sasl::looks_like_jwt(token)) return done(judge(token));
    if (options_.introspects) return introspect(token, trace, std::move(done));
    if (!options_.keys.empty()) return done(sasl::TokenVerdict{{}, "it is no JWT", false});
    done(Error{Errc::temporary, "neither auth_oauth2_keys nor auth_oauth2_introspection_url is set",
               0});
}

Result<sasl::TokenVerdict> TokenChecker::judge(std::string_view text) {
    const auto token = sasl::parse_jwt(text);
    if (!token) return sasl::TokenVerdict{{}, token.error().what, false};
    TRY(refresh());
    if (!sasl::is_signed(*token, keys_))
        return sasl::TokenVerdict{
            {}, cat({"no key has signed it (kid \"", printable(token->key_id, 60), "\")"}), false};
    return sasl::judge_token(token->claims, options_.rules, loop_.clock().now(), true);
}

// Keys that cannot be read are not "a wrong token".
Result<void> TokenChecker::refresh() {
    const SteadyTime now = loop_.clock().steady();
    if (read_ != SteadyTime{} && now - read_ < kKeysAge) return {};
    auto keys = read_token_keys(options_.keys);
    if (!keys) return std::move(keys).error().within("auth_oauth2_keys");
    keys_ = *std::move(keys);
    read_ = now;
    return {};
}

void TokenChecker::introspect(const std::string& token, std::string_view trace, Done done) {
    ipc::TokenQuestion question{token};
    const crypto::WipeGuard guard(question.token);
    introspector_.call<ipc::TokenAnswer>(
        question, options_.introspect_timeout,
        [this, done = std::move(done)](Result<ipc::TokenAnswer> answer) {
            if (!answer) return done(std::move(answer).error());
            if (!answer->error.empty()) return done(Error{Errc::temporary, answer->error, 0});
            if (!answer->active) return done(sasl::TokenVerdict{{}, "it is not active", false});
            const auto claims = Json::parse(answer->claims);
            if (!claims) return done(Error(claims.error()));
            done(sasl::judge_token(*claims, options_.rules, loop_.clock().now(), false));
        },
        trace);
}

}  // namespace postern::auth
