// For the examples of RFC 7162: mailboxes with messages and gaps, and the numbers that scripts name.
#pragma once

#include "imapd/test_client.h"

namespace postern::imapd {

class Rfc7162 : public SessionTest {
  protected:
    // Messages with these UIDs, of those from 1 on.
    void fill(int last, const std::string& expunged = "", const std::string& folder = "INBOX") {
        Client c(maildir);
        for (int i = 1; i <= last; ++i) c.append(folder, kPlain);
        c("SELECT " + folder);
        if (expunged.empty()) return;
        c("STORE " + expunged + " +FLAGS.SILENT (\\Deleted)");
        c("EXPUNGE");
    }
    // As STATUS says; the scripts have it and UIDVALIDITY as names.
    static std::string highest(Client& c) {
        const std::string status = c("STATUS INBOX (UIDVALIDITY HIGHESTMODSEQ)");
        c.value("validity") = word_after(status, "UIDVALIDITY ");
        return c.value("highest") =
                   word_after(status, "(UIDVALIDITY " + c.value("validity") + " HIGHESTMODSEQ ");
    }
    static std::string word_after(const std::string& text, const std::string& what) {
        const auto at = text.find(what);
        if (at == std::string::npos) return "";
        const auto begin = at + what.size();
        return text.substr(begin, text.find_first_of(" )\r", begin) - begin);
    }
};

}  // namespace postern::imapd
