#include "introspect/introspector.h"

#include "lib/base/encode.h"
#include "lib/base/json.h"
#include "lib/base/strings.h"
#include "lib/crypto/secret.h"

namespace postern::introspect {
namespace {

ipc::TokenAnswer failed(const std::string& why) {
    ipc::TokenAnswer answer;
    answer.error = printable(why, 500);
    return answer;
}

}  // namespace

net::HttpRequest request_for(const Options& options, const std::string& token) {
    net::HttpRequest request;
    request.url = options.url;
    request.headers = {{"Accept", "application/json"}};
    if (options.mode == Mode::auth) {
        request.headers.emplace_back("Authorization", cat({"Bearer ", token}));
        return request;
    }
    // RFC 6749 2.3.1: both encoded as in a form, then as in Basic.
    if (!options.client_id.empty())
        request.headers.emplace_back(
            "Authorization",
            cat({"Basic ", base64_encode(cat({net::url_encode(options.client_id), ":",
                                              net::url_encode(options.client_secret)}))}));
    if (options.mode == Mode::get) {
        request.url.target += net::url_encode(token);
        return request;
    }
    request.method = "POST";
    request.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
    request.body = cat({"token=", net::url_encode(token), "&token_type_hint=access_token"});
    return request;
}

// RFC 7662 2.2: an answer about any token is 200 and says "active"; other answers are about us. In
// the older ways the server refuses a token that is no good.
ipc::TokenAnswer answer_of(Mode mode, const net::HttpResponse& response) {
    const bool refused = response.status == 400 || response.status == 401 || response.status == 403;
    if (mode != Mode::post && refused) return {};
    if (response.status != 200)
        return failed(cat({"the server answered with status ", std::to_string(response.status)}));
    const auto json = Json::parse(response.body);
    if (!json) return failed(json.error().what);
    if (!json->is_object()) return failed("the answer is no JSON object");
    const Json* const active = json->find("active");
    ipc::TokenAnswer answer;
    answer.active = active != nullptr ? active->boolean().value_or(false) : mode != Mode::post;
    if (answer.active && response.body.size() > ipc::kMaxClaims)
        return failed("the answer is too long");
    if (answer.active) answer.claims = response.body;
    return answer;
}

ipc::TokenAnswer introspect(const Options& options, const tls::ClientContext& context,
                            const std::string& token) {
    auto request = request_for(options, token);
    const auto response = net::http_ask(request, context, Deadline::in(options.timeout));
    crypto::wipe(request.body);
    if (options.mode == Mode::get) crypto::wipe(request.url.target);
    for (auto& [name, value] : request.headers) crypto::wipe(value);
    if (!response)
        return failed(cat({options.url.secure ? "https://" : "http://", options.url.authority, ": ",
                           response.error().what}));
    return answer_of(options.mode, *response);
}

}  // namespace postern::introspect
