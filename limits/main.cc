// anvil: counts what clients do and knows who is here, for limits that hold over all processes.
#include <unistd.h>

#include "lib/service/profiles.h"
#include "lib/service/service.h"
#include "lib/sys/unix_socket.h"

#include "limits/service.h"

namespace postern::limits {
namespace {

class Service final : public service::LoopService {
  public:
    explicit Service(const service::LoopContext& context)
        : conversations_(context.loop, {.unit = context.config.get(param::anvil_rate_time_unit)},
                         context.config.get(param::anvil_status_update_time),
                         context.session_ended),
          one_user_(is_one_user(context.config)) {}
    // Sessions of others are root's business, or of whoever runs the whole system under one user.
    void on_connection(Fd socket) override {
        const auto peer = sys::peer_credentials(socket.get());
        const bool operates = peer && (peer->uid == 0 || (one_user_ && peer->uid == ::geteuid()));
        conversations_.serve(std::move(socket), operates);
    }
    void drain() override { conversations_.drain(); }
    std::size_t session_limit() const override { return Conversations::kMax; }

  private:
    static bool is_one_user(const config::Config& config) {
        const auto net = service::identity_of(service::Account::net, config);
        return net && net->uid == ::geteuid();
    }
    Conversations conversations_;
    const bool one_user_;
};

Result<std::unique_ptr<service::LoopService>> make(const service::LoopContext& context) {
    return std::unique_ptr<service::LoopService>(std::make_unique<Service>(context));
}

}  // namespace
}  // namespace postern::limits

int main(int argc, char** argv) {
    return postern::service::run_loop(argc, argv, postern::limits::make);
}
