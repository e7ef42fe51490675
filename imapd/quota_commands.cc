// GETQUOTA, GETQUOTAROOT (RFC 9208). A user has one quota root, "", for all folders, or, without
// limits, none. Limits are the administrator's: SETQUOTA is refused.
#include "imapd/session.h"
#include "lib/base/strings.h"
#include "lib/imap/response.h"

namespace postern::imapd {

// RFC 9208 4.2.1, 5: STORAGE in units of 1024 octets
Result<std::string> Session::quota_line() const {
    constexpr std::int64_t kUnit = 1024;
    const mailbox::Quota& quota = *store_.quota();
    TRY_ASSIGN(const mailbox::QuotaUsage usage, quota.usage());
    std::vector<std::string> words;
    if (quota.limits().storage != 0)
        words.push_back(cat({"STORAGE ", std::to_string((usage.storage + kUnit - 1) / kUnit), " ",
                             std::to_string(quota.limits().storage / kUnit)}));
    if (quota.limits().messages != 0)
        words.push_back(cat({"MESSAGE ", std::to_string(usage.messages), " ",
                             std::to_string(quota.limits().messages)}));
    return cat({"* QUOTA \"\" (", join(words, " "), ")\r\n"});
}

Reply Session::get_quota(const std::string& root) {
    if (!root.empty() || store_.quota() == nullptr)
        return Reply::no("[NONEXISTENT] No such quota root");
    const auto line = quota_line();
    if (!line) return failed(line.error());
    out_.write(*line);
    return Reply::ok("Getquota completed.");
}

// RFC 9208 4.1.2: of a mailbox that need not exist
Reply Session::get_quota_root(const std::string& name) {
    const auto canonical = mailbox::Store::canonical(name);
    if (!canonical) return failed(canonical.error());
    std::string line = "* QUOTAROOT ";
    imap::append_mailbox_name(line, shown_name(*canonical));
    // Folders of others' are not the user's quota's
    if (store_.quota() == nullptr || !store_.is_personal(*canonical)) {
        out_.write(line + "\r\n");
        return Reply::ok("Getquotaroot completed.");
    }
    const auto quota = quota_line();
    if (!quota) return failed(quota.error());
    out_.write(cat({line, " \"\"\r\n", *quota}));
    return Reply::ok("Getquotaroot completed.");
}

}  // namespace postern::imapd
