// DovecotAuth: the connection of a process to Dovecot's authentication server (smtpd_sasl_type =
// dovecot), shared by its sessions. It is made when a session wants it and nobody has it yet; when
// it breaks, whoever waits for an answer hears "temporary", and the next session makes another.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "lib/loop/loop.h"
#include "lib/loop/stream.h"
#include "lib/sasl/dovecot_client.h"
#include "lib/sys/socket.h"

namespace postern::smtpd {

class DovecotAuth : public loop::StreamHandler {
  public:
    // `name` is for the log: smtpd_sasl_path as it is configured.
    DovecotAuth(loop::Loop& loop, sys::SocketAddress server, std::string name);
    ~DovecotAuth() override;

    // Calls back, never from inside, when the server is there or cannot be reached; then
    // mechanisms() is empty.
    void when_ready(std::function<void()> done);
    const std::vector<sasl::DovecotMechanism>& mechanisms() const;

    using Done = std::function<void(const sasl::DovecotReply&)>;
    // Begins an exchange and gives its number; `done` hears each reply, never from inside. Until a
    // reply that is no challenge, or cancel().
    std::uint32_t start(sasl::DovecotRequest request, Done done);
    void go_on(std::uint32_t id, std::string_view response);
    void cancel(std::uint32_t id);

  private:
    void on_input() override;
    void on_closed(const Error* error) override;
    void on_connected() override;
    bool usable() const { return stream_ && client_.ready(); }
    void connect();
    void settled();
    void lost(const std::string& why);
    void send(std::uint32_t id, Result<std::string> line);
    void deliver(const sasl::DovecotReply& reply);

    loop::Loop& loop_;
    const sys::SocketAddress server_;
    const std::string name_;
    std::unique_ptr<loop::Stream> stream_;
    sasl::DovecotClient client_;
    loop::Timer patience_;  // for the connection and the server's first words
    std::vector<std::function<void()>> waiting_;
    std::unordered_map<std::uint32_t, Done> exchanges_;
    std::uint32_t last_id_ = 0;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace postern::smtpd
