#include "lib/service/key_files.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>

#include "lib/base/strings.h"
#include "lib/sys/error.h"
#include "lib/sys/file.h"
#include "lib/sys/fs.h"

namespace postern::service {
namespace {

constexpr std::size_t kMaxKeyFile = 8 << 20;  // a table of certificates may be large
constexpr std::size_t kMaxSealed = 32 << 20;

// Takes "SIZE\n" and that many bytes from the front.
Result<std::string> take_text(std::string_view& bytes) {
    const auto parts = split_once(bytes.substr(0, 32), '\n');
    const auto size = parts ? parse_number<std::size_t>(parts->first) : std::nullopt;
    if (!size || *size > bytes.size() - parts->first.size() - 1) {
        return Error{Errc::corrupt, "key files: malformed"};
    }
    std::string text(bytes.substr(parts->first.size() + 1, *size));
    bytes.remove_prefix(parts->first.size() + 1 + *size);
    return text;
}

// The bytes as a file that a table can open by name. It lives as long as the process.
std::optional<std::string> as_file(const std::string& bytes) {
    Fd fd(::memfd_create("table", MFD_CLOEXEC));
    if (!fd || !sys::RealFs::instance().write(fd.get(), bytes)) return std::nullopt;
    return cat({"/proc/self/fd/", std::to_string(fd.release())});
}

}  // namespace

std::string table_file(std::string_view spec) {
    constexpr std::pair<std::string_view, std::string_view> kTypes[] = {
        {"hash", ".db"}, {"btree", ".db"}, {"lmdb", ".lmdb"}, {"cdb", ".cdb"}, {"texthash", ""}};
    if (spec.starts_with("proxy:")) spec.remove_prefix(6);
    const auto parts = split_once(spec, ':');
    if (!parts) return {};
    for (const auto& [type, suffix] : kTypes) {
        if (parts->first == type && parts->second.starts_with('/'))
            return cat({parts->second, suffix});
    }
    return {};
}

namespace {

void add_tables(std::vector<std::string>& paths, const std::vector<std::string>& tables) {
    for (const auto& spec : tables) paths.push_back(table_file(spec));
}

}  // namespace

std::vector<std::string> key_paths(std::string_view program, const config::Config& config) {
    std::vector<std::string> paths;
    if (program == "smtpd") {
        paths = config.get(param::smtpd_tls_chain_files);
        paths.push_back(config.get(param::smtpd_tls_cert_file));
        paths.push_back(config.get(param::smtpd_tls_key_file));
        paths.push_back(config.get(param::smtpd_tls_eccert_file));
        paths.push_back(config.get(param::smtpd_tls_eckey_file));
        add_tables(paths, config.get(param::tls_server_sni_maps));
    } else if (program == "postscreen") {
        paths = config.get(param::tlsproxy_tls_chain_files);
        paths.push_back(config.get(param::tlsproxy_tls_cert_file));
        paths.push_back(config.get(param::tlsproxy_tls_key_file));
        paths.push_back(config.get(param::tlsproxy_tls_eccert_file));
        paths.push_back(config.get(param::tlsproxy_tls_eckey_file));
        add_tables(paths, config.get(param::tls_server_sni_maps));
    } else if (program == "login") {
        paths = config.get(param::login_tls_chain_files);
        if (paths.empty()) paths = config.get(param::smtpd_tls_chain_files);
        paths.push_back(config.get(param::login_tls_cert_file));
        paths.push_back(config.get(param::login_tls_key_file));
        add_tables(paths, config.get(param::tls_server_sni_maps));
    } else if (program == "introspect") {
        paths.push_back(config.get(param::auth_oauth2_client_secret_file));
    } else if (program == "smtp" || program == "lmtp") {
        const bool lmtp = program == "lmtp";
        paths = config.get(lmtp ? param::lmtp_tls_chain_files : param::smtp_tls_chain_files);
        paths.push_back(config.get(lmtp ? param::lmtp_tls_cert_file : param::smtp_tls_cert_file));
        paths.push_back(config.get(lmtp ? param::lmtp_tls_key_file : param::smtp_tls_key_file));
        paths.push_back(
            config.get(lmtp ? param::lmtp_tls_eccert_file : param::smtp_tls_eccert_file));
        paths.push_back(config.get(lmtp ? param::lmtp_tls_eckey_file : param::smtp_tls_eckey_file));
        add_tables(paths, config.get(lmtp ? param::lmtp_sasl_password_maps
                                          : param::smtp_sasl_password_maps));
    }
    std::erase(paths, "");
    return paths;
}

std::string_view made_key(std::string_view program) {
    return program == "auth" ? kResumeKey : std::string_view();
}

Result<Fd> KeyFiles::seal(const std::vector<std::string>& paths,
                          const std::map<std::string, std::string>& made) {
    std::string bytes;
    const auto add = [&bytes](std::string_view name, std::string_view text) {
        bytes +=
            cat({std::to_string(name.size()), "\n", name, std::to_string(text.size()), "\n", text});
    };
    for (const auto& path : paths) {
        const auto text = sys::read_file(path, kMaxKeyFile);
        if (text) add(path, *text);
    }
    for (const auto& [name, text] : made) add(name, text);
    Fd fd(::memfd_create("keys", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!fd) return sys::system_error("key files");
    TRY(sys::RealFs::instance().write(fd.get(), bytes));
    if (::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) !=
        0) {
        return sys::system_error("seal key files");
    }
    return fd;
}

Result<KeyFiles> KeyFiles::read_sealed(Fd sealed) {
    auto& fs = sys::RealFs::instance();
    TRY_ASSIGN(const auto info, fs.info(sealed.get()));
    if (info.size > kMaxSealed) return Error{Errc::corrupt, "key files: too large"};
    TRY_ASSIGN(const std::string bytes, fs.read_at(sealed.get(), 0, info.size));
    KeyFiles keys;
    for (std::string_view rest = bytes; !rest.empty();) {
        TRY_ASSIGN(std::string path, take_text(rest));
        TRY_ASSIGN(std::string text, take_text(rest));
        keys.files_.insert_or_assign(std::move(path), std::move(text));
    }
    return keys;
}

KeyFiles KeyFiles::inherited() {
    const char* text = std::getenv(kKeysVariable);
    const auto number = parse_number<int>(text ? text : "");
    if (!number || *number <= 2) return {};
    ::unsetenv(kKeysVariable);  // the descriptor is used up
    auto keys = read_sealed(Fd(*number));
    return keys ? std::move(keys).value() : KeyFiles();
}

std::string KeyFiles::readable_tables(const std::vector<std::string>& tables, Prefer prefer) const {
    std::string list;
    for (const auto& spec : tables) {
        const std::string path = table_file(spec);
        const auto handed = files_.find(path);
        const bool ours = path.empty() || handed == files_.end() ||
                          (prefer == Prefer::own_reading && ::access(path.c_str(), R_OK) == 0);
        const auto file = ours ? std::nullopt : as_file(handed->second);
        const auto bare = spec.starts_with("proxy:") ? std::string_view(spec).substr(6) : spec;
        list += list.empty() ? "" : ", ";
        list += file ? cat({bare.substr(0, bare.find(':')), ":", *file}) : spec;
    }
    return list;
}

std::string KeyFiles::find(std::string_view name) const {
    const auto found = files_.find(name);
    return found == files_.end() ? std::string() : found->second;
}

Result<std::string> KeyFiles::read(const std::string& path) const {
    const auto found = files_.find(path);
    if (found != files_.end()) return found->second;
    return sys::read_file(path, kMaxKeyFile);
}

}  // namespace postern::service
