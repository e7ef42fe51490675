#include "lib/table/ldap_table.h"

#include <sys/time.h>

#include <algorithm>
#include <map>

#include "lib/base/strings.h"
#include "lib/base/unicode.h"
#include "lib/table/kept_connection.h"
#include "lib/base/shared_library.h"

namespace postern::table {
namespace {

// What <ldap.h> declares, as far as it is used here (OpenLDAP 2.5 and 2.6).
struct Ldap;
struct LdapMessage;
struct BerValue {
    unsigned long size;
    char* bytes;
};
constexpr int kLdapSuccess = 0, kSizeLimitExceeded = 4, kNoSuchObject = 0x20, kServerDown = -1;
constexpr int kOptDereference = 0x0002, kOptReferrals = 0x0008, kOptVersion = 0x0011,
              kOptTimeout = 0x5002, kOptNetworkTimeout = 0x5005, kOptTlsCaFile = 0x6002,
              kOptTlsCaFolder = 0x6003, kOptTlsCertificate = 0x6004, kOptTlsKey = 0x6005,
              kOptTlsRequire = 0x6006, kOptTlsCiphers = 0x6008, kOptTlsNewContext = 0x600f;
constexpr int kTlsNever = 0, kTlsDemand = 2;
constexpr int kScopeBase = 0, kScopeOne = 1, kScopeSubtree = 2;

struct LdapApi {
    int (*initialize)(Ldap**, const char*) = nullptr;
    int (*set_option)(Ldap*, int, const void*) = nullptr;
    int (*start_tls)(Ldap*, void**, void**) = nullptr;
    int (*bind)(Ldap*, const char*, const char*, BerValue*, void**, void**, BerValue**) = nullptr;
    int (*search)(Ldap*, const char*, int, const char*, char**, int, void**, void**, timeval*, int,
                  LdapMessage**) = nullptr;
    LdapMessage* (*first_entry)(Ldap*, LdapMessage*) = nullptr;
    LdapMessage* (*next_entry)(Ldap*, LdapMessage*) = nullptr;
    BerValue** (*values)(Ldap*, LdapMessage*, const char*) = nullptr;
    void (*free_values)(BerValue**) = nullptr;
    int (*free_message)(LdapMessage*) = nullptr;
    int (*unbind)(Ldap*, void**, void**) = nullptr;
    char* (*error_text)(int) = nullptr;

    static Result<LdapApi> load() {
        TRY_ASSIGN(SharedLibrary library, SharedLibrary::open("libldap-2.5.so.0", "libldap-2.5-0"));
        LdapApi api;
        library.bind(api.initialize, "ldap_initialize")
            .bind(api.set_option, "ldap_set_option")
            .bind(api.start_tls, "ldap_start_tls_s")
            .bind(api.bind, "ldap_sasl_bind_s")
            .bind(api.search, "ldap_search_ext_s")
            .bind(api.first_entry, "ldap_first_entry")
            .bind(api.next_entry, "ldap_next_entry")
            .bind(api.values, "ldap_get_values_len")
            .bind(api.free_values, "ldap_value_free_len")
            .bind(api.free_message, "ldap_msgfree")
            .bind(api.unbind, "ldap_unbind_ext_s")
            .bind(api.error_text, "ldap_err2string");
        TRY(library.check());
        return api;
    }
};

// "host", "host:port" or a URI.
std::string server_uri(std::string_view server, std::string_view port) {
    if (server.find("://") != server.npos) return std::string(server);
    const bool has_port = server.find(':') != server.npos;
    return cat({"ldap://", server, has_port ? "" : ":", has_port ? "" : port});
}

Result<int> scope_from(const TableSettings& settings) {
    const std::string word = settings.get("scope", "sub");
    if (word == "sub") return kScopeSubtree;
    if (word == "one") return kScopeOne;
    if (word == "base") return kScopeBase;
    return Error{Errc::invalid,
                 cat({settings.path(), ": scope = ", word, ": expected sub, one or base"})};
}

Result<bool> bind_from(const TableSettings& settings) {
    const std::string word = to_lower(settings.get("bind", "yes"));
    if (word == "yes" || word == "simple") return true;
    if (word == "no" || word == "none") return false;
    return Error{Errc::invalid, cat({settings.path(), ": bind = ", word,
                                     ": expected simple or none (SASL is not", " there)"})};
}

Result<void> take_tls(const TableSettings& settings, LdapSettings& to) {
    TRY_ASSIGN(to.start_tls, settings.flag("start_tls", false));
    TRY_ASSIGN(to.require_certificate, settings.flag("tls_require_cert", false));
    to.ca_file = settings.get("tls_ca_cert_file");
    to.ca_folder = settings.get("tls_ca_cert_dir");
    to.certificate = settings.get("tls_cert");
    to.key = settings.get("tls_key");
    to.ciphers = settings.get("tls_cipher_suite");
    return {};
}

}  // namespace

std::string quote_filter(std::string_view text) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string out;
    for (const char c : text) {  // RFC 4515 3
        if (std::string_view("*()\\").find(c) == std::string_view::npos && c != '\0') {
            out += c;
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        out += {'\\', kDigits[byte >> 4], kDigits[byte & 15]};
    }
    return out;
}

std::string quote_name(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {  // RFC 4514 2.4
        const char c = text[i];
        const bool edge = c == ' ' && (i == 0 || i + 1 == text.size());
        const bool special = std::string_view(" ,+\"\\<>;=#").find(c) != std::string_view::npos;
        if (special && (c != ' ' || edge)) out += '\\';
        out += c;
    }
    return out;
}

Result<LdapSettings> LdapSettings::from(const TableSettings& settings) {
    LdapSettings to;
    to.path = settings.path();
    if (!settings.has("search_base"))
        return Error{Errc::invalid, cat({to.path, ": no search_base"})};
    auto hosts = settings.list("server_host");
    if (hosts.empty()) hosts.emplace_back("localhost");
    for (const auto& host : hosts)
        to.servers += cat(
            {to.servers.empty() ? "" : " ", server_uri(host, settings.get("server_port", "389"))});
    to.search_base = settings.get("search_base");
    to.query_filter = settings.get("query_filter", "(mailacceptinggeneralid=%s)");
    if (!to.query_filter.starts_with('(')) to.query_filter = cat({"(", to.query_filter, ")"});
    TRY_ASSIGN(to.scope, scope_from(settings));
    to.result = settings.list("result_attribute");
    to.leaf = settings.list("leaf_result_attribute");
    to.terminal = settings.list("terminal_result_attribute");
    to.special = settings.list("special_result_attribute");
    if (to.result.empty() && to.leaf.empty()) to.result.emplace_back("maildrop");
    TRY_ASSIGN(to.bind, bind_from(settings));
    to.bind_dn = settings.get("bind_dn");
    to.bind_password = settings.get("bind_pw");
    TRY(take_tls(settings, to));
    TRY_ASSIGN(to.chase_referrals, settings.flag("chase_referrals", false));
    TRY_ASSIGN(const std::size_t version, settings.number("version", 3));
    if (version != 2 && version != 3)
        return Error{Errc::invalid, cat({to.path, ": version: expected 2 or 3"})};
    to.version = static_cast<int>(version);
    TRY_ASSIGN(const std::size_t dereference, settings.number("dereference", 0));
    if (dereference > 3)
        return Error{Errc::invalid, cat({to.path, ": dereference: expected 0 to 3"})};
    to.dereference = static_cast<int>(dereference);
    TRY_ASSIGN(to.timeout, settings.number("timeout", 10));
    to.timeout = std::clamp<std::size_t>(to.timeout, 1, 3600);
    TRY_ASSIGN(to.rules, ResultRules::from(settings));
    TRY_ASSIGN(to.size_limit, settings.number("size_limit", to.rules.limit));
    to.size_limit = std::min<std::size_t>(to.size_limit, 1'000'000);
    TRY_ASSIGN(to.recursion_limit, settings.number("recursion_limit", 1000));
    return to;
}

// One connection, and what it is asked.
class LdapConnection {
  public:
    // An entry's attributes, each with its values.
    using Entry = std::map<std::string, std::vector<std::string>, std::less<>>;

    LdapConnection(const LdapApi& api, const LdapSettings& settings)
        : api_(api), settings_(settings) {}
    ~LdapConnection() {
        if (ldap_ != nullptr) api_.unbind(ldap_, nullptr, nullptr);
    }
    LdapConnection(const LdapConnection&) = delete;
    LdapConnection& operator=(const LdapConnection&) = delete;

    Result<void> open() {
        int code = api_.initialize(&ldap_, settings_.servers.c_str());
        if (code != kLdapSuccess) return failure("server_host", code);
        TRY(set_options());
        if (settings_.start_tls) {
            code = api_.start_tls(ldap_, nullptr, nullptr);
            if (code != kLdapSuccess) return failure("STARTTLS", code);
        }
        if (!settings_.bind) return {};
        std::string password = settings_.bind_password;
        BerValue secret{password.size(), password.data()};
        code = api_.bind(ldap_, settings_.bind_dn.c_str(), nullptr, &secret, nullptr, nullptr,
                         nullptr);
        if (code != kLdapSuccess)
            return failure(cat({"bind as \"", settings_.bind_dn, "\""}), code);
        return {};
    }

    // Errc::closed: the connection is lost.
    Result<std::vector<Entry>> search(const std::string& base, int scope, const std::string& filter,
                                      const std::vector<std::string>& attributes) {
        std::vector<std::string> names = attributes;
        std::vector<char*> wanted;
        for (auto& name : names) wanted.push_back(name.data());
        wanted.push_back(nullptr);
        timeval limit{static_cast<time_t>(settings_.timeout), 0};
        LdapMessage* found = nullptr;
        const int code =
            api_.search(ldap_, base.c_str(), scope, filter.c_str(), wanted.data(), 0, nullptr,
                        nullptr, &limit, static_cast<int>(settings_.size_limit), &found);
        auto entries = code == kLdapSuccess ? entries_of(found, attributes)
                                            : Result<std::vector<Entry>>(std::vector<Entry>{});
        if (found != nullptr) api_.free_message(found);
        if (code == kLdapSuccess || code == kNoSuchObject) return entries;
        if (code == kSizeLimitExceeded)
            return Error{Errc::temporary,
                         cat({"more than size_limit = ", std::to_string(settings_.size_limit),
                              " entries for ", filter})};
        return failure(cat({"search for ", filter}), code);
    }

  private:
    Result<void> set(int option, const char* name, const void* value) {
        if (api_.set_option(ldap_, option, value) == kLdapSuccess) return {};
        return Error{Errc::temporary, cat({"ldap: ", name, ": OpenLDAP's library refuses it"})};
    }

    Result<void> set_options() {
        const timeval limit{static_cast<time_t>(settings_.timeout), 0};
        TRY(set(kOptVersion, "version", &settings_.version));
        TRY(set(kOptDereference, "dereference", &settings_.dereference));
        TRY(set(kOptTimeout, "timeout", &limit));
        TRY(set(kOptNetworkTimeout, "timeout", &limit));
        // "On" is any address, "off" is none.
        TRY(set(kOptReferrals, "chase_referrals", settings_.chase_referrals ? &limit : nullptr));
        if (!settings_.start_tls && settings_.servers.find("ldaps:") == std::string::npos)
            return {};
        const struct {
            int option;
            const char* name;
            const std::string& text;
        } texts[] = {{kOptTlsCaFile, "tls_ca_cert_file", settings_.ca_file},
                     {kOptTlsCaFolder, "tls_ca_cert_dir", settings_.ca_folder},
                     {kOptTlsCertificate, "tls_cert", settings_.certificate},
                     {kOptTlsKey, "tls_key", settings_.key},
                     {kOptTlsCiphers, "tls_cipher_suite", settings_.ciphers}};
        for (const auto& one : texts) {
            if (!one.text.empty()) TRY(set(one.option, one.name, one.text.c_str()));
        }
        const int require = settings_.require_certificate ? kTlsDemand : kTlsNever;
        TRY(set(kOptTlsRequire, "tls_require_cert", &require));
        const int client = 0;
        return set(kOptTlsNewContext, "the files or ciphers for TLS", &client);
    }

    Result<std::vector<Entry>> entries_of(LdapMessage* found,
                                          const std::vector<std::string>& attributes) {
        std::vector<Entry> entries;
        for (auto* at = api_.first_entry(ldap_, found); at != nullptr;
             at = api_.next_entry(ldap_, at)) {
            Entry entry;
            for (const auto& name : attributes) {
                BerValue** values = api_.values(ldap_, at, name.c_str());
                if (values == nullptr) continue;
                for (BerValue** value = values; *value != nullptr; ++value)
                    entry[name].emplace_back((*value)->bytes, (*value)->size);
                api_.free_values(values);
            }
            entries.push_back(std::move(entry));
        }
        return entries;
    }

    Error failure(std::string_view doing, int code) const {
        return {code == kServerDown ? Errc::closed : Errc::temporary,
                cat({"ldap: ", doing, ": ", api_.error_text(code)})};
    }

    const LdapApi api_;
    const LdapSettings& settings_;
    Ldap* ldap_ = nullptr;
};

LdapTable::LdapTable(LdapSettings settings, Fold fold)
    : settings_(std::move(settings)), fold_(fold) {}
LdapTable::~LdapTable() = default;

Result<std::unique_ptr<Table>> LdapTable::open(std::string_view path, Fold fold) {
    TRY_ASSIGN(const auto read, TableSettings::read(std::string(path)));
    TRY_ASSIGN(auto settings, LdapSettings::from(read));
    return std::unique_ptr<Table>(new LdapTable(std::move(settings), fold));
}

Result<void> LdapTable::connect() {
    TRY_ASSIGN(const LdapApi api, LdapApi::load());
    auto connection = std::make_unique<LdapConnection>(api, settings_);
    TRY(connection->open());
    connection_ = std::move(connection);
    return {};
}

// One search; names in special_result_attribute are looked up in their turn.
Result<void> LdapTable::collect(const Question& question, Answer& answer, std::size_t depth) {
    if (depth > settings_.recursion_limit)
        return Error{Errc::temporary,
                     cat({"more than recursion_limit = ", std::to_string(settings_.recursion_limit),
                          " names deep"})};
    std::vector<std::string> attributes;
    for (const auto* group :
         {&settings_.terminal, &settings_.result, &settings_.special, &settings_.leaf})
        attributes.insert(attributes.end(), group->begin(), group->end());
    TRY_ASSIGN(const auto entries,
               connection_->search(question.base, question.scope, question.filter, attributes));
    for (const auto& entry : entries) {
        const auto append = [&](const std::vector<std::string>& names) -> Result<bool> {
            bool any = false;
            for (const auto& name : names) {
                const auto values = entry.find(name);
                if (values == entry.end()) continue;
                any = true;
                for (const auto& value : values->second)
                    TRY(settings_.rules.append(answer.text, answer.count, value, answer.key));
            }
            return any;
        };
        TRY_ASSIGN(const bool ended, append(settings_.terminal));
        if (ended) continue;
        TRY(append(settings_.result));
        bool leaf = true;
        for (const auto& name : settings_.special) {
            const auto values = entry.find(name);
            if (values == entry.end()) continue;
            leaf = false;
            for (const auto& value : values->second) {
                if (value.find("://") != value.npos)
                    return Error{Errc::temporary, cat({"special_result_attribute: ", value,
                                                       ": only names are followed, no URLs"})};
                TRY(collect({value, "(objectclass=*)", kScopeBase}, answer, depth + 1));
            }
        }
        if (leaf) TRY(append(settings_.leaf));
    }
    return {};
}

Result<void> LdapTable::ask(const Question& question, Answer& answer) {
    return ask_kept(
        connection_, [this] { return connect(); },
        [&] {
            answer = {answer.key, {}, 0};  // whatever a connection that broke has brought
            return collect(question, answer, 0);
        });
}

Lookup<std::string> LdapTable::lookup(std::string_view given) {
    const std::string key = fold_ == Fold::lower ? fold_case(given) : std::string(given);
    if (key.empty() || key.size() > kMaxKeySize || key.find('\0') != key.npos ||
        !settings_.rules.admits(key))
        return NotFound{};
    auto filter = expand_format(settings_.query_filter, key, key, quote_filter);
    auto base = expand_format(settings_.search_base, key, key, quote_name);
    if (!filter || !base) return NotFound{};  // the key has no such part
    Answer answer{key, {}, 0};
    auto done = ask({*base, *filter, settings_.scope}, answer);
    if (!done) {
        Error error = std::move(done).error();
        if (error.code == Errc::closed) error.code = Errc::temporary;
        return std::move(error).within(settings_.path);
    }
    if (answer.text.empty()) return NotFound{};
    return std::move(answer.text);
}

}  // namespace postern::table
