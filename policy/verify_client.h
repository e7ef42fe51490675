// VerifyClient: the AddressVerifier that asks the verify service.
#pragma once

#include <string>

#include "policy/engine.h"

namespace postern::policy {

class VerifyClient final : public AddressVerifier {
  public:
    explicit VerifyClient(std::string path) : path_(std::move(path)) {}

    Result<ipc::VerifyAnswer> ask(const std::string& address) override;
    void pause(Seconds time) override;

  private:
    std::string path_;
};

}  // namespace postern::policy
