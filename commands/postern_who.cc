#include "commands/postern_who.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>

#include "lib/base/date_time.h"
#include "lib/base/ip_address.h"
#include "lib/base/strings.h"
#include "lib/ipc/channel.h"
#include "lib/log/log.h"

#include "commands/postern_control.h"
#include "commands/queue_listing.h"

namespace postern::commands {
namespace {

constexpr Millis kWhoWait{20'000};
constexpr std::string_view kProtocols[] = {"smtp", "imap", "pop3"};
constexpr std::string_view kFilterUsage =
    "[-p imap|pop3|smtp] [-a address[/bits]] [-s session] [user]";

Error usage(bool may_print, std::string_view what) {
    return {Errc::invalid, cat({what, "; usage: postern ", may_print ? "who [-j] " : "kick ",
                                kFilterUsage})};
}

std::string_view protocol_of(const ipc::SessionFacts& facts) {
    return kProtocols[static_cast<std::size_t>(facts.protocol)];
}

std::string_view state_of(const ipc::SessionFacts& facts) {
    switch (facts.state) {
        case ipc::SessionState::logging_in: return "login";
        case ipc::SessionState::asleep: return "idle";
        default: return "active";
    }
}

std::string security_of(const ipc::SessionFacts& facts) {
    switch (facts.security) {
        case ipc::SessionSecurity::tls: return "TLS";
        case ipc::SessionSecurity::local: return "local";
        default: return "-";
    }
}

Result<void> check_filter(const ipc::SessionFilter& filter, bool may_print) {
    if (!filter.network.empty() && !IpNetwork::parse(filter.network))
        return usage(may_print, cat({"-a: \"", filter.network, "\" is no address and no network"}));
    const auto known = std::find(std::begin(kProtocols), std::end(kProtocols), filter.protocol);
    if (!filter.protocol.empty() && known == std::end(kProtocols))
        return usage(may_print, cat({"-p: \"", filter.protocol, "\" is no protocol"}));
    if (!filter.session.empty() && !SessionId::parse(filter.session))
        return usage(may_print, cat({"-s: \"", filter.session, "\" is no session id"}));
    if (filter.user.size() > ipc::kMaxUser) return usage(may_print, "the user's name is too long");
    return {};
}

// "of bob from 192.0.2.0/24 with imap", for messages.
std::string described(const ipc::SessionFilter& filter) {
    std::string text;
    if (!filter.session.empty()) text += " " + filter.session;
    if (!filter.user.empty()) text += " of " + filter.user;
    if (!filter.network.empty()) text += " from " + filter.network;
    if (!filter.protocol.empty()) text += " with " + filter.protocol;
    return text;
}

Result<ipc::Channel> call_anvil(const config::Config& config, const Deadline& deadline) {
    auto channel =
        ipc::Channel::connect(config.get(param::queue_directory) + "/private/anvil", deadline);
    if (channel) return channel;
    if (channel.error().code == Errc::denied)
        return Error{Errc::denied, "only root may see or end sessions"};
    const auto running = is_running(config);
    if (running && !*running)
        return Error{Errc::not_found, "the Postern mail system is not running"};
    return channel;
}

// Conversations with anvil: another one where a reload took the anvil that we had reached.
class AnvilCaller {
  public:
    explicit AnvilCaller(const config::Config& config) : config_(config) {}

    template <class Answer, class Question>
    Result<Answer> ask(const Question& question) {
        constexpr int kMostTimes = 3;
        for (int times = 1;; ++times) {
            if (!channel_) {
                TRY_ASSIGN(channel_, call_anvil(config_, deadline_));
            }
            const auto sent = channel_->send(question, deadline_);
            auto answer = sent ? channel_->receive<Answer>(deadline_) : Result<Answer>(sent.error());
            if (answer || answer.error().code != Errc::closed || times == kMostTimes) return answer;
            channel_.reset();
            if (sent && answer.error().sys != ECONNRESET) lost_ = true;
        }
    }
    // One has read our question, and gone without an answer.
    bool lost_one() const { return lost_; }

  private:
    const config::Config& config_;
    const Deadline deadline_ = Deadline::in(kWhoWait);
    std::optional<ipc::Channel> channel_;
    bool lost_ = false;
};

int none(const ipc::SessionFilter& filter) {
    log::error("", "no session" + described(filter));
    return 1;
}

}  // namespace

Result<WhoRequest> parse_who(const std::vector<std::string>& words, bool may_print) {
    WhoRequest request;
    bool options = true;
    for (std::size_t i = 0; i < words.size(); ++i) {
        const std::string& word = words[i];
        if (options && word == "--") {
            options = false;
        } else if (options && may_print && word == "-j") {
            request.json = true;
        } else if (options && (word == "-p" || word == "-a" || word == "-s")) {
            if (++i == words.size()) return usage(may_print, word + " needs a value");
            auto& filter = request.filter;
            auto& value = word == "-p" ? filter.protocol
                          : word == "-a" ? filter.network
                                         : filter.session;
            if (words[i].empty()) return usage(may_print, word + " needs a value");
            value = words[i];
        } else if (options && word.starts_with('-')) {
            return usage(may_print, "unknown option: " + word);
        } else if (word.empty() || !request.filter.user.empty()) {
            return usage(may_print, word.empty() ? "the user's name is empty"
                                                 : "only one user can be named");
        } else {
            request.filter.user = word;
        }
    }
    TRY(check_filter(request.filter, may_print));
    return request;
}

std::string who_line(const ipc::SessionFacts& facts) {
    const std::string user = facts.user.empty() ? "-" : printable(facts.user);
    const std::string address = cat({facts.address, " ", std::to_string(facts.port)});
    const std::string worker = facts.worker == 0 ? "-" : std::to_string(facts.worker);
    std::array<char, 1024> line{};
    std::snprintf(line.data(), line.size(), "%-24s %-5s %-22s %-5s %-19s %-6s %7s %s\n",
                  user.c_str(), std::string(protocol_of(facts)).c_str(),
                  printable(address).c_str(), security_of(facts).c_str(),
                  format_local_time(facts.since, "%Y-%m-%d %H:%M:%S").c_str(),
                  std::string(state_of(facts)).c_str(), worker.c_str(),
                  facts.session.str().c_str());
    return line.data();
}

std::string who_json(const ipc::SessionFacts& facts) {
    const auto since = std::chrono::floor<Seconds>(facts.since.time_since_epoch()).count();
    return cat({"{\"session\": ", json_string(facts.session.str()),
                ", \"user\": ", facts.user.empty() ? "null" : json_string(facts.user),
                ", \"protocol\": ", json_string(protocol_of(facts)),
                ", \"service\": ", json_string(facts.service),
                ", \"address\": ", json_string(facts.address),
                ", \"port\": ", std::to_string(facts.port), ", \"tls\": ",
                facts.security == ipc::SessionSecurity::tls ? "true" : "false",
                ", \"since\": ", std::to_string(since), ", \"state\": ",
                json_string(state_of(facts)), ", \"pid\": ",
                facts.worker == 0 ? "null" : std::to_string(facts.worker), "}\n"});
}

Result<int> who(const config::Config& config, const std::vector<std::string>& words) {
    TRY_ASSIGN(const auto request, parse_who(words, true));
    AnvilCaller anvil(config);
    ipc::SessionListRequest question{request.filter, ""};
    std::size_t count = 0;
    for (bool more = true; more;) {
        TRY_ASSIGN(const auto list, anvil.ask<ipc::SessionList>(question));
        for (const auto& facts : list.sessions) {
            if (count++ == 0 && !request.json)
                std::printf("%-24s %-5s %-22s %-5s %-19s %-6s %7s %s\n", "USER", "PROTO",
                            "ADDRESS PORT", "TLS", "SINCE", "STATE", "PID", "SESSION");
            const std::string line = request.json ? who_json(facts) : who_line(facts);
            std::fwrite(line.data(), 1, line.size(), stdout);
            question.after = facts.session.str();
        }
        more = list.more && !list.sessions.empty();
    }
    const std::string wanted = described(request.filter);
    return count == 0 && !wanted.empty() ? none(request.filter) : 0;
}

Result<int> kick(const config::Config& config, const std::vector<std::string>& words) {
    TRY_ASSIGN(const auto request, parse_who(words, false));
    if (described(request.filter).empty())
        return usage(false, "whose sessions? Name a user, an address, a protocol or a session");
    AnvilCaller anvil(config);
    TRY_ASSIGN(const auto answer, anvil.ask<ipc::KickAnswer>(ipc::KickRequest{request.filter}));
    const std::string whose = described(request.filter);
    if (answer.told == 0 && anvil.lost_one()) {  // which may have ended them
        std::printf("no session%s is left; how many ended is not known: a reload came between\n",
                    whose.c_str());
        return 0;
    }
    if (answer.told == 0) return none(request.filter);
    std::printf("%u of %u sessions%s ended\n", answer.ended, answer.told, whose.c_str());
    return answer.ended == answer.told ? 0 : 1;
}

}  // namespace postern::commands
