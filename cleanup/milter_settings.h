// Which milters there are and how they are spoken to: smtpd_milters and its kind as values. Each
// smtpd service of master.cf has settings of its own, for its -o options count
// (milter_macro_daemon_name, for one).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/result.h"
#include "lib/config/config.h"
#include "lib/config/master_cf.h"
#include "lib/milter/dialogue.h"
#include "lib/sys/socket.h"
#include "lib/table/maps.h"

namespace postern::cleanup {

enum class DefaultAction : unsigned char { accept, reject, tempfail, quarantine, shutdown };

struct MilterServer {
    std::string name;  // as configured
    DefaultAction action = DefaultAction::tempfail;
    Millis connect_timeout{30'000}, command_timeout{30'000}, content_timeout{300'000};
    int protocol = 6;
    // By the C library, when first needed: names in main.cf are those of this host or its network.
    Result<sys::SocketAddress> address() const;
};

struct MilterSettings {
    std::vector<MilterServer> servers;
    std::map<milter::Stage, std::vector<std::string>>
        macros;                                   // names, in braces if longer than a letter
    std::map<std::string, std::string> defaults;  // of macros
    std::string daemon_name, version, myhostname;
    std::uint64_t body_limit = 0;

    // `list`: the value of smtpd_milters or non_smtpd_milters. Errc::invalid names the bad part.
    static Result<MilterSettings> from(const config::Config& config, const std::string& list);
};

// The settings of all services; a service whose settings are wrong is warned about and has a milter
// that is never there.
class MilterCatalog {
  public:
    MilterCatalog(const config::Config& config, const config::MasterFile& master);
    // Null: no milters. What smtpd_milter_maps say of the address comes before smtpd_milters; a
    // table that fails is a milter that is never there.
    std::shared_ptr<const MilterSettings> of_client(const std::string& service,
                                                    const std::string& address);
    std::shared_ptr<const MilterSettings> of_local_mail() const { return local_; }

  private:
    using Settings = std::shared_ptr<const MilterSettings>;
    struct Service {
        Settings usual;
        table::Maps by_client;
        std::optional<config::Config> config;    // where there are maps
        std::map<std::string, Settings> listed;  // by value of the maps
    };
    static Service service_of(const config::Config& config, const std::string& where);

    std::map<std::string, Service> services_;
    Service other_;
    Settings local_;
};

}  // namespace postern::cleanup
