// DovecotClient: the client's side of Dovecot's authentication protocol (version 1, the one that
// Dovecot's documentation has under "auth-client"), for smtpd where smtpd_sasl_type = dovecot.
// Lines in, replies out; pure. One connection serves any number of exchanges, told apart by their
// numbers. Everything that SASL says stays in base64: both sides of the relay want it so.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"

namespace postern::sasl {

struct DovecotMechanism {
    std::string name;                 // upper case
    std::vector<std::string> traits;  // plaintext, dictionary, active, forward-secrecy, ...
};

// The names, parted by spaces, of those that smtpd_sasl_security_options (`rules`) lets through;
// hidden ones never. `filter` is smtpd_sasl_mechanism_filter, see mechanism_passes().
std::string permitted_mechanisms(const std::vector<DovecotMechanism>& all,
                                 const std::vector<std::string>& rules,
                                 const std::vector<std::string>& filter);
// A list of "NAME", "!NAME" and "static:anything" (all others); the first that fits decides, none:
// no.
bool mechanism_passes(const std::vector<std::string>& filter, std::string_view name);
// What of the filter is none of these (a table); the caller says so.
std::vector<std::string> foreign_filter_words(const std::vector<std::string>& filter);

struct DovecotRequest {
    std::uint32_t id = 0;
    std::string mechanism;
    std::string local_address, remote_address;
    bool secured = false;
    bool has_response = false;
    std::string response;  // base64; wiped by the caller
};

struct DovecotReply {
    enum class Kind : unsigned char { ok, fail, challenge };
    Kind kind = Kind::fail;
    std::uint32_t id = 0;
    std::string user;       // ok
    std::string challenge;  // base64
    std::string reason;     // fail: for the client; may be empty
    bool temporary = false;
};

class DovecotClient {
  public:
    static constexpr std::size_t kMaxLine = 16384;

    // What to send first.
    static std::string hello(std::uint32_t process_id);
    // Lines of an exchange. Errc::invalid for text that would not stay within its field.
    static Result<std::string> start(const DovecotRequest& request);
    static Result<std::string> go_on(std::uint32_t id, std::string_view response);
    static std::string cancel(std::uint32_t id);

    // A line of the server without its end. A reply, or nothing when it says something else.
    // Errc::invalid: that is no such server, or one of a version that we do not know.
    Result<std::optional<DovecotReply>> on_line(std::string_view line);

    // The server has told who it is and what it can.
    bool ready() const { return ready_; }
    const std::vector<DovecotMechanism>& mechanisms() const { return mechanisms_; }

  private:
    Result<void> handshake(const std::vector<std::string_view>& words);

    bool version_known_ = false;
    bool ready_ = false;
    std::vector<DovecotMechanism> mechanisms_;
};

}  // namespace postern::sasl
