// Dovecot's authentication protocol, see dovecot_client.h. A line is fields parted by tabs; within
// a field tab, LF, CR and NUL are written as \001 and a letter.
#include "lib/sasl/dovecot_client.h"

#include <algorithm>

#include "lib/base/encode.h"
#include "lib/base/strings.h"

namespace postern::sasl {
namespace {

constexpr std::size_t kMaxMechanisms = 64;
constexpr std::size_t kMaxUserName = 320;
constexpr std::size_t kMaxReason = 200;

std::string unescape(std::string_view field) {
    std::string text;
    for (std::size_t at = 0; at < field.size(); ++at) {
        if (field[at] != '\1' || at + 1 == field.size()) {
            text += field[at];
            continue;
        }
        switch (field[++at]) {
            case 't': text += '\t'; break;
            case 'n': text += '\n'; break;
            case 'r': text += '\r'; break;
            case '0': text += '\0'; break;
            default: text += '\1'; break;  // "\0011"
        }
    }
    return text;
}

bool is_token(std::string_view text) {
    return !text.empty() && text.size() <= 255 &&
           std::none_of(text.begin(), text.end(), [](char c) { return is_control(c) || c == ' '; });
}

bool is_base64(std::string_view text) { return text.empty() || base64_decode(text).has_value(); }

// Which trait each word of smtpd_sasl_security_options forbids, or demands.
struct Rule {
    std::string_view word, trait;
    bool demands;
};
constexpr Rule kRules[] = {
    {"noplaintext", "plaintext", false},          {"noactive", "active", false},
    {"nodictionary", "dictionary", false},        {"noanonymous", "anonymous", false},
    {"forward_secrecy", "forward-secrecy", true}, {"mutual_auth", "mutual-auth", true}};

bool has_trait(const DovecotMechanism& mechanism, std::string_view trait) {
    return std::find(mechanism.traits.begin(), mechanism.traits.end(), trait) !=
           mechanism.traits.end();
}

bool obeys(const DovecotMechanism& mechanism, const std::vector<std::string>& words) {
    return std::all_of(words.begin(), words.end(), [&](const std::string& word) {
        return std::all_of(std::begin(kRules), std::end(kRules), [&](const Rule& rule) {
            return !iequals(rule.word, word) || has_trait(mechanism, rule.trait) == rule.demands;
        });
    });
}

}  // namespace

bool mechanism_passes(const std::vector<std::string>& filter, std::string_view name) {
    if (filter.empty()) return true;
    for (std::string_view word : filter) {
        const bool negated = word.starts_with('!');
        if (negated) word.remove_prefix(1);
        if (word.starts_with("static:") || iequals(word, name)) return !negated;
    }
    return false;
}

std::vector<std::string> foreign_filter_words(const std::vector<std::string>& filter) {
    std::vector<std::string> foreign;
    for (const auto& word : filter) {
        if (word.starts_with("static:") || word.starts_with("!static:")) continue;
        if (word.find_first_of(":/") != std::string::npos) foreign.push_back(word);
    }
    return foreign;
}

std::string permitted_mechanisms(const std::vector<DovecotMechanism>& all,
                                 const std::vector<std::string>& rules,
                                 const std::vector<std::string>& filter) {
    std::vector<std::string> names;
    for (const auto& mechanism : all) {
        if (has_trait(mechanism, "private") || !obeys(mechanism, rules)) continue;
        if (mechanism_passes(filter, mechanism.name)) names.push_back(mechanism.name);
    }
    return join(names, " ");
}

std::string DovecotClient::hello(std::uint32_t process_id) {
    return cat({"VERSION\t1\t1\nCPID\t", std::to_string(process_id), "\n"});
}

Result<std::string> DovecotClient::start(const DovecotRequest& request) {
    if (!is_token(request.mechanism) || !is_token(request.local_address) ||
        !is_token(request.remote_address) || !is_base64(request.response))
        return Error{Errc::invalid, "SASL request with a character that it may not have"};
    return cat({"AUTH\t", std::to_string(request.id), "\t", request.mechanism,
                "\tservice=smtp\tnologin\tlip=", request.local_address,
                "\trip=", request.remote_address, request.secured ? "\tsecured" : "",
                request.has_response ? "\tresp=" : "", request.has_response ? request.response : "",
                "\n"});
}

Result<std::string> DovecotClient::go_on(std::uint32_t id, std::string_view response) {
    if (!is_base64(response)) return Error{Errc::invalid, "SASL response is not base64"};
    return cat({"CONT\t", std::to_string(id), "\t", response, "\n"});
}

std::string DovecotClient::cancel(std::uint32_t id) {
    return cat({"CANCEL\t", std::to_string(id), "\n"});
}

Result<void> DovecotClient::handshake(const std::vector<std::string_view>& words) {
    if (words[0] == "VERSION") {
        if (words.size() < 3 || words[1] != "1")
            return Error{Errc::invalid, "authentication server speaks another version"};
        version_known_ = true;
    } else if (words[0] == "MECH") {
        if (words.size() < 2 || !is_token(words[1]))
            return Error{Errc::invalid, "authentication server names a bad mechanism"};
        if (mechanisms_.size() == kMaxMechanisms)
            return Error{Errc::invalid, "authentication server names too many mechanisms"};
        mechanisms_.push_back({to_upper(words[1]), {words.begin() + 2, words.end()}});
    } else if (words[0] == "DONE") {
        if (!version_known_)
            return Error{Errc::invalid, "authentication server does not name its version"};
        ready_ = true;
    }
    return {};  // SPID, CUID, COOKIE: for others
}

Result<std::optional<DovecotReply>> DovecotClient::on_line(std::string_view line) {
    const auto words = split(line, '\t');
    if (!ready_) {
        TRY(handshake(words));
        return std::optional<DovecotReply>();
    }
    const bool challenge = words[0] == "CONT";
    const bool ok = words[0] == "OK";
    if (!challenge && !ok && words[0] != "FAIL") return std::optional<DovecotReply>();
    DovecotReply reply;
    const auto id = words.size() > 1 ? parse_number<std::uint32_t>(words[1]) : std::nullopt;
    if (!id) return Error{Errc::invalid, "authentication server: a reply without a number"};
    reply.id = *id;
    if (challenge) {
        reply.kind = DovecotReply::Kind::challenge;
        reply.challenge = words.size() > 2 ? words[2] : std::string_view();
        if (!is_base64(reply.challenge))
            return Error{Errc::invalid, "authentication server: a challenge that is not base64"};
        return std::optional(std::move(reply));
    }
    reply.kind = ok ? DovecotReply::Kind::ok : DovecotReply::Kind::fail;
    for (std::size_t i = 2; i < words.size(); ++i) {
        const auto word = words[i];
        if (word.starts_with("user=")) reply.user = unescape(word.substr(5));
        if (word.starts_with("reason="))
            reply.reason = printable(unescape(word.substr(7)), kMaxReason);
        if (word == "temp" || word == "code=temp_fail") reply.temporary = true;
    }
    // A name goes to logs and to Received: lines.
    const bool usable = !reply.user.empty() && reply.user.size() <= kMaxUserName &&
                        std::none_of(reply.user.begin(), reply.user.end(), is_control);
    if (ok && !usable) {
        reply.kind = DovecotReply::Kind::fail;
        reply.temporary = true;
        reply.user.clear();
    }
    return std::optional(std::move(reply));
}

}  // namespace postern::sasl
