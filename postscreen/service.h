// PostscreenService: all clients under test, one cache.
#pragma once

#include <memory>
#include <unordered_map>

#include "lib/service/service.h"

#include "postscreen/client.h"

namespace postern::postscreen {

class PostscreenService final : public service::LoopService {
  public:
    static Result<std::unique_ptr<service::LoopService>> create(
        const service::LoopContext& context);
    PostscreenService(const service::LoopContext& context, Options options, Cache cache,
                      std::unique_ptr<dns::AsyncResolver> resolver);
    ~PostscreenService() override;

    void on_connection(Fd socket) override;
    void drain() override;

  private:
    void write_cache();
    void clean_cache();

    service::LoopContext context_;
    const Options options_;
    Access access_;
    Cache cache_;
    std::unique_ptr<dns::AsyncResolver> resolver_;
    Screen screen_;
    std::unordered_map<Client*, std::shared_ptr<Client>> clients_;
    loop::Timer writer_, cleaner_;
};

}  // namespace postern::postscreen
