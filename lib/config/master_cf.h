// master.cf: one line per service, in Postfix's columns. Pure.
//
//   # service  type  private unpriv chroot wakeup maxproc  command + arguments
//   smtp       inet  n       -      n      -      -        smtpd -o name=value -o { name = value }
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/base/result.h"

#include "lib/config/main_cf.h"

namespace postern::config {

using Overrides = std::vector<std::pair<std::string, std::string>>;  // name, value

struct MasterEntry {
    enum class Type : unsigned char { inet, unix_socket, fifo, pass, unix_dgram };
    static constexpr int kDefaultLimit = -1;  // process_limit "-": $default_process_limit

    std::string name;  // "smtp", "submission", "127.0.0.1:2525", "policy"
    Type type = Type::unix_socket;
    bool is_private = true;
    bool unprivileged = true;
    bool chroot = false;
    int wakeup_seconds = 0;             // 0: never
    bool wakeup_if_used = false;        // "1000?": only once the service has been used
    int process_limit = kDefaultLimit;  // 0: no limit
    std::string command;                // program name
    std::vector<std::string> arguments;  // as written, after the command; -o {…} without its braces
    Overrides overrides;                 // what the -o arguments set, in order
    std::vector<std::string> columns;    // the eight columns as written (the eighth: the command)
    int line = 0;                        // 0: built in

    // "smtp/inet", the name that postconf and messages use.
    std::string key() const;
    // inet: "[::1]:2525" -> "::1", "2525"; "smtp" -> "", "smtp".
    std::string host() const;
    std::string port() const;
    std::string_view type_name() const;
};

class MasterFile {
  public:
    // Errors name the file, the line, the column and what would be right.
    static Result<MasterFile> parse(std::string_view text, std::string_view file = "master.cf");
    // The same, going on after a bad entry, which becomes a problem, as does a double one.
    static MasterFile parse(std::string_view text, std::string_view file,
                            std::vector<Problem>& problems);

    const std::vector<MasterEntry>& entries() const { return entries_; }
    // The entry of this name; type narrows it down where one name has two.
    const MasterEntry* find(std::string_view name) const;
    const MasterEntry* find(std::string_view name, MasterEntry::Type type) const;
    // Things worth telling that do not stop the system: double entries.
    const std::vector<Problem>& warnings() const { return warnings_; }

    // Adds the services that Postfix's master.cf does not know and this suite needs (policy,
    // peername, anvil, postern-auth, imapd, pop3d) where the file does not list them.
    void add_built_in();

  private:
    std::vector<MasterEntry> entries_;
    std::vector<Problem> warnings_;
};

// The eight columns and the arguments of an entry as postconf -M prints them; folded: one -o a
// line.
std::string master_line(const MasterEntry& entry, bool folded = false);

// The file with one entry changed and every other line as it is. An entry that the file does not
// have is added last (set) or is an Error.
enum class MasterChange : unsigned char { set, comment_out, remove };
Result<std::string> edit_master_cf(std::string_view text, std::string_view key, MasterChange change,
                                   const MasterEntry* replacement = nullptr);

}  // namespace postern::config
