// The verify service's conversations: questions of policy, news of qmgr.
#pragma once

#include "lib/service/service.h"

#include "verify/verifier.h"

namespace postern::verify {

class VerifyWorker final : public service::Worker {
  public:
    explicit VerifyWorker(Verifier verifier) : verifier_(std::move(verifier)) {}

    Conversation serve(ipc::Channel& channel) override;
    // What is known lives as long as the process.
    bool keeps_state() const override { return verifier_.in_memory(); }

  private:
    Result<void> answer(const ipc::Packet& packet, ipc::Channel& channel);

    Verifier verifier_;
};

}  // namespace postern::verify
