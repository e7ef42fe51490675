// anvil: counts what the clients of smtpd do, for limits that hold over all smtpd processes.
#include "lib/service/service.h"

#include "limits/service.h"

namespace postern::limits {
namespace {

class Service final : public service::LoopService {
  public:
    explicit Service(const service::LoopContext& context)
        : conversations_(context.loop, {.unit = context.config.get(param::anvil_rate_time_unit)},
                         context.config.get(param::anvil_status_update_time),
                         context.session_ended) {}
    void on_connection(Fd socket) override { conversations_.serve(std::move(socket)); }
    std::size_t session_limit() const override { return Conversations::kMax; }

  private:
    Conversations conversations_;
};

Result<std::unique_ptr<service::LoopService>> make(const service::LoopContext& context) {
    return std::unique_ptr<service::LoopService>(std::make_unique<Service>(context));
}

}  // namespace
}  // namespace postern::limits

int main(int argc, char** argv) {
    return postern::service::run_loop(argc, argv, postern::limits::make);
}
