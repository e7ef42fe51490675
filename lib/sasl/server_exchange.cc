#include "lib/sasl/server_exchange.h"

#include "lib/base/strings.h"
#include "lib/crypto/secret.h"
#include "lib/sasl/mechanisms.h"
#include "lib/sasl/password.h"

namespace postern::sasl {
namespace {

constexpr std::string_view kPlain = "PLAIN";
constexpr std::string_view kLogin = "LOGIN";

bool usable_user(std::string_view user) {
    if (user.empty() || user.size() > kMaxUser) return false;
    for (const char c : user)
        if (is_control(c)) return false;
    return true;
}

}  // namespace

Result<Credentials> parse_plain(std::string_view message) {
    // RFC 4616 2: message = [authzid] UTF8NUL authcid UTF8NUL passwd
    const auto parts = split(message, '\0');
    const Error malformed{Errc::invalid, "malformed PLAIN message", 0};
    if (parts.size() != 3 || !usable_user(parts[1])) return malformed;
    if (!parts[0].empty() && !usable_user(parts[0])) return malformed;
    if (parts[2].empty() || parts[2].size() > kMaxPassword) return malformed;
    return Credentials{std::string(parts[0]), std::string(parts[1]), std::string(parts[2])};
}

std::string make_plain(std::string_view user, std::string_view password) {
    constexpr std::string_view kNul("\0", 1);
    return cat({kNul, user, kNul, password});
}

Result<ServerExchange> ServerExchange::start(std::string_view mechanism) {
    for (const std::string_view known : known_mechanisms())
        if (iequals(known, mechanism)) return ServerExchange(std::string(known));
    return Error{Errc::not_found, "unsupported mechanism", 0};
}

ServerExchange::~ServerExchange() {
    crypto::wipe(question_.response);
    crypto::wipe(user_);
}

ServerExchange::Step ServerExchange::begin(std::optional<std::string_view> initial_response) {
    if (mechanism_ != kPlain && mechanism_ != kLogin) return carry(initial_response);
    expect_ = mechanism_ == kPlain ? Expect::plain : Expect::login_user;
    if (initial_response) return on_response(*initial_response);
    return {Step::Kind::challenge, mechanism_ == kPlain ? "" : "Username:"};
}

ServerExchange::Step ServerExchange::on_response(std::string_view response) {
    switch (expect_) {
        case Expect::plain: return finish(std::string(response));
        case Expect::login_user:
            user_ = response;
            expect_ = Expect::login_password;
            return {Step::Kind::challenge, "Password:"};
        case Expect::login_password: return finish(make_plain(user_, response));
        case Expect::carried: return carry(response);
        case Expect::nothing: break;
    }
    return {};
}

ServerExchange::Step ServerExchange::carry(std::optional<std::string_view> response) {
    question_ = {mechanism_, std::string(response.value_or("")), response.has_value(),
                 expect_ == Expect::carried};
    expect_ = Expect::carried;
    return {Step::Kind::ask, {}};
}

ServerExchange::Step ServerExchange::finish(std::string message) {
    expect_ = Expect::nothing;
    auto parsed = parse_plain(message);
    if (!parsed) {
        crypto::wipe(message);
        return {};
    }
    crypto::wipe(parsed->password);
    question_ = {std::string(kPlain), std::move(message), true, false};
    return {Step::Kind::ask, {}};
}

ServerExchange::Question ServerExchange::take_question() {
    Question question = question_;
    crypto::wipe(question_.response);
    return question;
}

}  // namespace postern::sasl
