#include "commands/postern_user.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <vector>

#include "lib/base/encode.h"
#include "lib/base/random.h"
#include "lib/base/strings.h"
#include "lib/crypto/secret.h"
#include "lib/mailbox/quota.h"
#include "lib/sasl/passwd_file.h"
#include "lib/sasl/password.h"
#include "lib/service/profiles.h"
#include "lib/sys/error.h"
#include "lib/sys/file.h"
#include "lib/sys/fs.h"
#include "lib/sys/users.h"

namespace postern::commands {
namespace {

constexpr std::size_t kMaxFile = 256 << 20;
constexpr const char* kUsage =
    "usage: postern user add NAME [--home DIR] [--uid N] [--gid N] [--scheme S] [--generate | "
    "--password-stdin]\n"
    "       postern user passwd NAME [--scheme S] [--generate | --password-stdin]\n"
    "       postern user quota NAME [RULE | default]\n"
    "       postern user del NAME\n"
    "       postern user list\n";

struct Request {
    std::string name;
    std::string home, uid, gid;
    std::string scheme{sasl::kDefaultScheme};
    bool generate = false;
    bool from_stdin = false;
    std::optional<std::string> value;  // a word after the name
};

Error usage_error(std::string_view what) { return {Errc::invalid, std::string(what), 0}; }

// --- Arguments

Result<Request> parse(std::span<const std::string> arguments) {
    Request request;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const std::string& word = arguments[i];
        std::string* target = word == "--home"     ? &request.home
                              : word == "--uid"    ? &request.uid
                              : word == "--gid"    ? &request.gid
                              : word == "--scheme" ? &request.scheme
                                                   : nullptr;
        if (target != nullptr) {
            if (++i == arguments.size()) return usage_error(word + " needs a value");
            *target = arguments[i];
        } else if (word == "--generate") {
            request.generate = true;
        } else if (word == "--password-stdin") {
            request.from_stdin = true;
        } else if (!request.name.empty() && !request.value && !word.starts_with("-")) {
            request.value = word;
        } else if (word.starts_with("-") || !request.name.empty()) {
            return usage_error("unexpected argument: " + word);
        } else {
            request.name = word;
        }
    }
    if (!sasl::is_user_name(request.name))
        return usage_error("not a user's name: \"" + printable(request.name, 100) + "\"");
    return request;
}

// --- Passwords

// 20 letters and digits that nobody confuses, about 97 bits.
std::string generate_password() {
    constexpr std::string_view kLetters = "abcdefghijkmnpqrstuvwxyz23456789";
    static_assert(kLetters.size() == 32);
    std::string password;
    for (const char byte : SystemRandom::instance().bytes(20))
        password += kLetters[static_cast<unsigned char>(byte) % kLetters.size()];
    return password;
}

Result<std::string> read_line(int fd) {
    std::string line;
    char c = 0;
    while (line.size() <= sasl::kMaxPassword) {
        const ssize_t n = ::read(fd, &c, 1);
        if (n < 0) return sys::system_error("read password");
        if (n == 0 || c == '\n') break;
        line += c;
    }
    if (line.ends_with('\r')) line.pop_back();
    return line;
}

// Turns the terminal's echo off for as long as it lives.
class NoEcho {
  public:
    explicit NoEcho(int fd) : fd_(fd), valid_(::tcgetattr(fd, &saved_) == 0) {
        if (!valid_) return;
        termios quiet = saved_;
        quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        ::tcsetattr(fd_, TCSAFLUSH, &quiet);
    }
    ~NoEcho() {
        if (valid_) ::tcsetattr(fd_, TCSAFLUSH, &saved_);
    }
    NoEcho(const NoEcho&) = delete;
    NoEcho& operator=(const NoEcho&) = delete;

  private:
    int fd_;
    termios saved_{};
    bool valid_;
};

Result<std::string> prompt(int terminal, const char* question) {
    std::fputs(question, stderr);
    auto line = read_line(terminal);
    std::fputs("\n", stderr);
    return line;
}

Result<std::string> read_password(const Request& request) {
    if (request.generate) return generate_password();
    if (request.from_stdin || ::isatty(STDIN_FILENO) == 0) return read_line(STDIN_FILENO);
    const NoEcho quiet(STDIN_FILENO);
    TRY_ASSIGN(std::string first, prompt(STDIN_FILENO, "New password: "));
    TRY_ASSIGN(std::string second, prompt(STDIN_FILENO, "Again: "));
    const crypto::WipeGuard guard(second);
    if (!crypto::secure_equal(first, second))
        return Error{Errc::invalid, "the passwords differ", 0};
    return first;
}

// The stored form. A generated password is printed, on standard output and nowhere else.
Result<std::string> new_password(const Request& request) {
    TRY_ASSIGN(std::string password, read_password(request));
    const crypto::WipeGuard guard(password);
    TRY_ASSIGN(std::string stored,
               sasl::make_password(request.scheme, password, SystemRandom::instance()));
    if (request.generate) std::printf("%s\n", password.c_str());
    return stored;
}

// --- The file

using Lines = std::vector<std::string>;

bool is_entry_of(const std::string& line, std::string_view name) {
    const auto entry = sasl::parse_passwd_line(line);
    return entry && *entry && iequals((*entry)->user, name);
}

Lines::iterator find_entry(Lines& lines, std::string_view name) {
    return std::find_if(lines.begin(), lines.end(),
                        [name](const std::string& line) { return is_entry_of(line, name); });
}

Result<Lines> read_lines(const std::string& path) {
    const auto text = sys::read_file(path, kMaxFile);
    if (!text && text.error().code == Errc::not_found) return Lines();
    if (!text) return text.error();
    Lines lines;
    for (const std::string_view line : split(*text, '\n')) lines.emplace_back(line);
    if (!lines.empty() && lines.back().empty()) lines.pop_back();
    return lines;
}

// Passwords are for auth alone: it owns the file, where it has an account of its own. A file that
// is there keeps its owner.
Result<void> write_for_auth(const std::string& path, const std::string& text,
                            const config::Config& config) {
    const bool hand_over = sys::is_root() && !sys::RealFs::instance().info(path).has_value();
    service::Identity auth;
    if (hand_over) {
        TRY_ASSIGN(auth, service::identity_of(service::Account::auth, config));
    }
    TRY(sys::replace_file(path, text, 0600));
    if (hand_over && ::lchown(path.c_str(), auth.uid, auth.gid) != 0)
        return sys::system_error("chown " + path);
    return {};
}

// Where some users have salts of SCRAM, those that auth makes up for others must not give
// themselves away by changing.
Result<void> keep_salt_key(const std::string& passwd_file, const Lines& lines,
                           const config::Config& config) {
    const std::string path = sasl::salt_key_file(passwd_file);
    const bool wanted = std::any_of(lines.begin(), lines.end(), [](const std::string& line) {
        const auto entry = sasl::parse_passwd_line(line);
        return entry && *entry && istarts_with((*entry)->password, "{SCRAM-");
    });
    if (!wanted || sys::RealFs::instance().info(path)) return {};
    return write_for_auth(path, hex_encode(SystemRandom::instance().bytes(32)) + "\n", config);
}

Result<void> edit(const config::Config& config, const std::function<Result<void>(Lines&)>& change) {
    const std::string path = config.get(param::auth_passwd_file);
    TRY_ASSIGN(const Fd lock, sys::lock_file(path + ".lock", Deadline::in(Seconds{30})));
    TRY_ASSIGN(Lines lines, read_lines(path));
    TRY(change(lines));
    TRY(keep_salt_key(path, lines, config));
    return write_for_auth(path, lines.empty() ? "" : join(lines, "\n") + "\n", config);
}

// --- The commands

// What the request leaves open: the system user of that name, or whoever runs this.
Result<void> complete(sasl::PasswdEntry& entry) {
    const auto account = sys::find_user(entry.user);
    if (account.found()) {
        if (entry.uid.empty()) entry.uid = std::to_string(account->uid);
        if (entry.gid.empty()) entry.gid = std::to_string(account->gid);
        if (entry.home.empty()) entry.home = account->home;
    }
    if (entry.uid.empty() && sys::is_root())
        return Error{Errc::invalid,
                     "there is no system user " + entry.user + ": give --uid, --gid and --home", 0};
    if (entry.uid.empty()) entry.uid = std::to_string(::getuid());
    if (entry.gid.empty()) {
        const auto uid = parse_number<uid_t>(entry.uid);
        const auto owner = uid ? sys::find_user(*uid) : sys::find_user(entry.uid);
        if (!owner.found()) return Error{Errc::invalid, "give --gid for uid " + entry.uid, 0};
        entry.gid = std::to_string(owner->gid);
    }
    if (!entry.home.starts_with('/'))
        return Error{Errc::invalid, "give --home with an absolute path", 0};
    return {};
}

Result<void> check_field(std::string_view name, std::string_view value) {
    if (value.find(':') != std::string_view::npos ||
        std::any_of(value.begin(), value.end(), is_control))
        return Error{Errc::invalid, cat({"--", name, ": no ':' and no control characters"}), 0};
    return {};
}

Result<void> add(const Request& request, const config::Config& config) {
    sasl::PasswdEntry entry;
    entry.user = request.name;
    entry.uid = request.uid;
    entry.gid = request.gid;
    entry.home = request.home;
    TRY(check_field("home", entry.home));
    TRY(check_field("uid", entry.uid));
    TRY(check_field("gid", entry.gid));
    TRY(complete(entry));
    const auto exists = [&](Lines& lines) {
        return find_entry(lines, request.name) != lines.end();
    };
    const Error taken{Errc::permanent, "user " + request.name + " exists already", 0};
    // Asked before the password is, and once more under the lock.
    TRY_ASSIGN(Lines now, read_lines(config.get(param::auth_passwd_file)));
    if (exists(now)) return taken;
    TRY_ASSIGN(entry.password, new_password(request));
    return edit(config, [&](Lines& lines) -> Result<void> {
        if (exists(lines)) return taken;
        lines.push_back(sasl::format_passwd_line(entry));
        return {};
    });
}

Result<void> change_password(const Request& request, const config::Config& config) {
    TRY_ASSIGN(const std::string stored, new_password(request));
    return edit(config, [&](Lines& lines) -> Result<void> {
        const auto line = find_entry(lines, request.name);
        if (line == lines.end()) return Error{Errc::not_found, "no user " + request.name, 0};
        auto entry = sasl::parse_passwd_line(*line);
        (*entry)->password = stored;
        *line = sasl::format_passwd_line(**entry);
        return {};
    });
}

Result<void> remove(const Request& request, const config::Config& config) {
    return edit(config, [&](Lines& lines) -> Result<void> {
        const auto line = find_entry(lines, request.name);
        if (line == lines.end()) return Error{Errc::not_found, "no user " + request.name, 0};
        lines.erase(line);
        return {};
    });
}

// Dovecot's extra field: the user's own rule, instead of mailbox_quota_rule.
constexpr std::string_view kQuotaKey = "userdb_quota_rule";

std::string with_quota(std::string_view extra, std::string_view rule) {
    std::vector<std::string> words;
    for (const std::string_view word : split_words(extra))
        if (word.substr(0, word.find('=')) != kQuotaKey) words.emplace_back(word);
    if (rule != "default") words.push_back(cat({kQuotaKey, "=", rule}));
    return join(words, " ");
}

Result<void> show_quota(const Request& request, const config::Config& config) {
    TRY_ASSIGN(Lines lines, read_lines(config.get(param::auth_passwd_file)));
    const auto line = find_entry(lines, request.name);
    if (line == lines.end()) return Error{Errc::not_found, "no user " + request.name, 0};
    const auto entry = sasl::parse_passwd_line(*line);
    const auto own = sasl::extra_field((*entry)->extra, kQuotaKey);
    const std::string general = config.get(param::mailbox_quota_rule);
    std::printf("%s%s\n", std::string(own.value_or(general.empty() ? "none" : general)).c_str(),
                own ? "" : " (mailbox_quota_rule)");
    return {};
}

Result<void> quota(const Request& request, const config::Config& config) {
    if (!request.value) return show_quota(request, config);
    const std::string& rule = *request.value;
    if (rule != "default") TRY(mailbox::parse_quota_rule(rule));
    if (rule.find_first_of(" \t\n") != std::string::npos)
        return Error{Errc::invalid, "a quota rule has no spaces", 0};
    return edit(config, [&](Lines& lines) -> Result<void> {
        const auto line = find_entry(lines, request.name);
        if (line == lines.end()) return Error{Errc::not_found, "no user " + request.name, 0};
        auto entry = sasl::parse_passwd_line(*line);
        (*entry)->extra = with_quota((*entry)->extra, rule);
        *line = sasl::format_passwd_line(**entry);
        return {};
    });
}

Result<void> list(const config::Config& config) {
    TRY_ASSIGN(const Lines lines, read_lines(config.get(param::auth_passwd_file)));
    for (const std::string& line : lines) {
        const auto entry = sasl::parse_passwd_line(line);
        if (entry && *entry) std::printf("%s\n", (*entry)->user.c_str());
    }
    return {};
}

int report(const Result<void>& done) {
    if (done) return 0;
    std::fprintf(stderr, "postern: fatal: user: %s\n", done.error().what.c_str());
    return 1;
}

int usage() {
    std::fputs(kUsage, stderr);
    return 2;
}

}  // namespace

int user_command(std::span<const std::string> arguments, const config::Config& config) {
    if (arguments.empty()) return usage();
    const std::string& verb = arguments[0];
    if (verb == "list") return arguments.size() == 1 ? report(list(config)) : usage();
    const auto action = verb == "add"      ? add
                        : verb == "passwd" ? change_password
                        : verb == "del"    ? remove
                        : verb == "quota"  ? quota
                                           : nullptr;
    if (action == nullptr) return usage();
    const auto request = parse(arguments.subspan(1));
    if (!request) {
        std::fprintf(stderr, "postern: fatal: user: %s\n", request.error().what.c_str());
        return usage();
    }
    if (request->value && verb != "quota") {
        std::fprintf(stderr, "postern: fatal: user: unexpected argument: %s\n",
                     request->value->c_str());
        return usage();
    }
    return report(action(*request, config));
}

}  // namespace postern::commands
