// Client: one connection under test, from its acceptance to smtpd or to its end.
//
//   (proxy's word) -> lists of addresses -> cache -> greeting withheld, DNS lists asked
//       -> smtpd, or a session with TestSession
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "lib/dns/resolver.h"
#include "lib/loop/stream.h"
#include "lib/smtp/proxy_header.h"
#include "lib/table/maps.h"
#include "lib/table/match_list.h"

#include "postscreen/access.h"
#include "postscreen/cache.h"
#include "postscreen/dns_lists.h"
#include "postscreen/options.h"
#include "postscreen/test_session.h"

namespace postern::postscreen {

// What all clients share.
struct Screen {
    loop::Loop& loop;
    const Options& options;
    Access& access;
    Cache& cache;
    dns::AsyncResolver& resolver;
    std::function<void()> cache_changed;
    std::unordered_map<std::string, std::size_t> clients;  // connections by address
    std::size_t under_test = 0, for_server = 0;
};

class Client final : public loop::StreamHandler, public std::enable_shared_from_this<Client> {
  public:
    // Calls `ended` once, not from inside start().
    Client(Screen& screen, Fd socket, std::function<void(Client*)> ended);
    ~Client() override;

    void start();
    // The process wants to end: a client that waits for its greeting is told to come again.
    void drain();

    void on_input() override;
    void on_closed(const Error* error) override;
    void on_secured() override;

  private:
    void wait(Millis time, std::function<void()> due);
    void watch(void (Client::*on_readable)());
    void read_proxy();
    void known();
    void run_tests();
    void ask_lists();
    void on_list(const std::string& domain, const dns::AnswerLookup& answer);
    void peek();
    void pregreet(std::string_view text);
    bool fail(const ScreenTest& rule, Trial test, const std::string& last,
              const std::string& refusal);
    void waited();
    void judge();
    void speak();
    void listen();
    std::string footed(const std::string& reply) const;
    std::optional<std::string> footer_value(std::string_view name) const;
    void perform(const TestSession::Step& step);
    void start_tls();
    void take_leave();
    void conclude();
    void keep();
    bool none_failed() const;
    void hang_up(std::string_view when);
    void refuse_now(std::string_view reason, const std::string& reply);
    void drop(const std::string& reply);
    void end();
    void hand_over();
    Result<void> send_to_server();
    bool todo(Trial test) const { return todo_[static_cast<std::size_t>(test)]; }
    std::string seconds_since_start() const;
    std::int64_t now() const;

    Screen& screen_;
    std::function<void(Client*)> ended_;
    Fd socket_;  // until a session needs a stream
    std::unique_ptr<loop::Watch> watch_;
    std::unique_ptr<loop::Stream> stream_;
    std::function<void()> due_;  // when timer_ ends
    loop::Timer timer_;
    smtp::ProxyLine addresses_;
    std::string name_;  // "[192.0.2.1]:1234"
    SteadyTime started_;
    Passed passed_;
    std::array<bool, kTests> todo_{}, failed_tests_{};
    ListScore score_;
    std::vector<dns::AsyncResolver::Id> questions_;
    std::size_t open_questions_ = 0;
    std::optional<TestSession> session_;
    std::string refusal_;      // what a session's recipients hear
    bool failed_ = false;      // and must be refused
    bool vetoed_ = false;      // this address of ours lets nobody pass
    bool wait_over_ = false;   // for the greeting; the lists may be open
    bool announced_ = false;   // in the log
    bool counted_ = false;     // in Screen::clients
    bool under_test_ = false;  // and in under_test
    bool for_server_ = false;  // and in for_server
    bool handed_over_ = false;
    bool closing_ = false, over_ = false;
    int attempts_ = 0;  // to reach smtpd
};

}  // namespace postern::postscreen
