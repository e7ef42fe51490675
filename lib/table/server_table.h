// Tables that ask a server in a small protocol: tcp:host:port (Postfix's tcp_table(5)) and
// socketmap:inet:host:port:name, socketmap:unix:path:name (Sendmail's socketmap). Connections are
// kept and made again once when the server has closed them.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "lib/table/stream.h"
#include "lib/table/table.h"

namespace postern::table {

class ServerTable : public Table {
  public:
    Lookup<std::string> lookup(std::string_view key) final;

  protected:
    explicit ServerTable(std::string address) : address_(std::move(address)) {}
    // Sends the question and reads the answer.
    virtual Lookup<std::string> ask(Stream& stream, std::string_view key,
                                    const Deadline& deadline) = 0;

  private:
    std::string address_;
    std::optional<Stream> stream_;
};

Result<std::unique_ptr<Table>> open_tcp(std::string_view name);
Result<std::unique_ptr<Table>> open_socketmap(std::string_view name);

// %XX for what tcp_table(5) cannot send as it is, and back.
std::string tcp_encode(std::string_view text);
Result<std::string> tcp_decode(std::string_view text);

}  // namespace postern::table
