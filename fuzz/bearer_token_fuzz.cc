// What clients and authorization servers send: bearer messages, tokens, key sets, any JSON.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "lib/base/check.h"
#include "lib/base/json.h"

#include "lib/sasl/jwt.h"
#include "lib/sasl/oauth.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    namespace sasl = postern::sasl;
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    if (const auto bearer = sasl::parse_oauthbearer(input)) POSTERN_CHECK(!bearer->token.empty());
    if (const auto bearer = sasl::parse_xoauth2(input))
        POSTERN_CHECK(!bearer->token.empty() && !bearer->user.empty());
    const auto keys = sasl::parse_jwks(input);
    if (const auto token = sasl::parse_jwt(input)) {
        POSTERN_CHECK(token->claims.is_object());
        // Of a key that nobody has.
        std::vector<sasl::TokenKey> others;
        others.push_back({"", std::nullopt,
                          postern::crypto::VerifyingKey::secret(std::string(32, 'x')).value()});
        POSTERN_CHECK(!sasl::is_signed(*token, others));
    }
    const auto json = postern::Json::parse(input);
    if (!json) return 0;
    const auto verdict = sasl::judge_token(*json, {}, postern::WallTime{}, false);
    POSTERN_CHECK(verdict.user.empty() != verdict.why.empty());
    if (const auto text = json->string())
        POSTERN_CHECK(postern::Json::parse(postern::json_quote(*text))->string() == *text);
    return 0;
}
