// GETQUOTA, GETQUOTAROOT (RFC 9208). A user has one quota root, "", for all folders, or, without
// limits, none. Folders of another user count for that one's, which is called as the name below
// which they are; who may read one of them is told how full it is. Limits are the administrator's:
// SETQUOTA is refused.
#include "imapd/session.h"
#include "lib/base/strings.h"
#include "lib/imap/response.h"

namespace postern::imapd {

// RFC 9208 4.2.1, 5: STORAGE in units of 1024 octets
Result<std::string> Session::quota_line(const mailbox::Store::QuotaRoot& root) const {
    constexpr std::int64_t kUnit = 1024;
    TRY_ASSIGN(const mailbox::QuotaUsage usage, root.quota->usage());
    const mailbox::QuotaLimits limits = root.quota->limits();
    std::vector<std::string> words;
    if (limits.storage != 0)
        words.push_back(cat({"STORAGE ", std::to_string((usage.storage + kUnit - 1) / kUnit), " ",
                             std::to_string(limits.storage / kUnit)}));
    if (limits.messages != 0)
        words.push_back(cat(
            {"MESSAGE ", std::to_string(usage.messages), " ", std::to_string(limits.messages)}));
    std::string line = "* QUOTA ";
    imap::append_mailbox_name(line, shown_root(root));
    return cat({line, " (", join(words, " "), ")\r\n"});
}

std::string Session::shown_root(const mailbox::Store::QuotaRoot& root) const {
    return root.name.empty() ? std::string() : shown_name(root.name);
}

// Of one's own, or of a folder that the user may read. Nothing: there is none of that name, for
// him.
std::optional<mailbox::Store::QuotaRoot> Session::quota_root_called(const std::string& name) const {
    const auto is_it = [&](const std::string& folder) {
        auto root = store_.quota_root(folder);
        const bool found = root && root->quota && shown_root(*root) == name;
        return found ? std::optional(*std::move(root)) : std::nullopt;
    };
    if (name.empty()) return is_it("INBOX");
    const auto folders = store_.folders();
    if (!folders) return std::nullopt;
    for (const auto& folder : *folders) {
        if (!folder.selectable || store_.is_personal(folder.name) || lacks("r", folder.name))
            continue;
        if (auto root = is_it(folder.name)) return root;
    }
    return std::nullopt;
}

Reply Session::get_quota(const std::string& name) {
    const auto root = quota_root_called(name);
    if (!root) return Reply::no("[NONEXISTENT] No such quota root");
    const auto line = quota_line(*root);
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
    const auto root = store_.quota_root(*canonical);
    if (!root || !root->quota) {
        out_.write(line + "\r\n");
        return Reply::ok("Getquotaroot completed.");
    }
    if (!root->name.empty())
        if (auto refusal = lacks("r", *canonical)) return *refusal;
    const auto quota = quota_line(*root);
    if (!quota) return failed(quota.error());
    line += ' ';
    imap::append_mailbox_name(line, shown_root(*root));
    out_.write(cat({line, "\r\n", *quota}));
    return Reply::ok("Getquotaroot completed.");
}

}  // namespace postern::imapd
