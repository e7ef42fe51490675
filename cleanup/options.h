// Everything of main.cf that cleanup heeds, read in one place.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lib/content/rules.h"
#include "lib/table/address_lookup.h"

#include "cleanup/text_cleaner.h"

namespace postern::config {
class Config;
}

namespace postern::cleanup {

struct Options {
    std::string myhostname = "localhost";
    std::string mail_name = "Postfix";
    table::Completion completion{"localhost", "localdomain"};
    // For headers of mail from other clients (remote_header_rewrite_domain); none: left alone.
    std::optional<table::Completion> remote_completion;
    std::size_t header_address_token_limit = 10240;
    std::uint64_t message_size_limit = 10240000;  // 0: no limit
    std::size_t hopcount_limit = 50;
    std::size_t duplicate_filter_limit = 1000;
    std::size_t recipient_limit = 100'000;  // of one message, after expansion
    std::uint64_t queue_minfree = 0;
    bool always_add_missing_headers = false;
    std::vector<std::string> drop_headers = {"bcc", "content-length", "resent-bcc",
                                             "return-path"};  // lower case
    std::string undisclosed_recipients_header;
    // Whether some table may change addresses; if not, most messages need no question to rewrite.
    bool ask_about_recipients = false;
    bool ask_about_senders = false;
    bool rewrite_header_senders = false, rewrite_header_recipients = false;
    bool obsolete_from = false;          // header_from_format
    std::string name_charset = "utf-8";  // full_name_encoding_charset
    // Content checks: lists of tables, and limits of what they see.
    content::TableNames checks;
    std::string milter_header_checks;  // for fields that milters add or change
    content::Limits content;
    CharacterRules characters;
    std::string verp_filter = "-=+";                    // verp_delimiter_filter
    bool detect_8bit = true;                            // detect_8bit_encoding_header
    bool tls_optional = true;                           // tls_required_enable
    bool to_seven_bit = false;                          // force_mime_input_conversion
    bool smtputf8 = false;                              // smtputf8_enable
    std::vector<std::string> utf8_classes;              // smtputf8_autodetect_classes
    bool check_bounces = false, check_notices = false;  // internal_mail_filter_classes
    std::string double_bounce_sender = "double-bounce";
    std::string always_bcc;  // a complete address
    bool soft_bounce = false;
    std::string rewrite_socket = "private/rewrite";
    std::string qmgr_socket = "public/qmgr";
    std::size_t batch_messages = 256;  // queue_batch_limit
    std::size_t batch_bytes = 16 << 20;
    bool sync_directory = false;  // queue_sync_directory
    std::size_t spare_files = 0;  // queue_spare_files
    std::size_t memory_per_message = 256
                                     << 10;  // a larger one goes to a file of its own as it arrives
    std::size_t memory_in_all = 64
                                << 20;  // beyond that every message does, from memory_when_full on
    std::size_t memory_when_full = 16 << 10;
    std::size_t memory_for_milters =
        512 << 20;  // of all messages; messages that milters want to see stay in memory

    // Once check() has found nothing wrong.
    static Result<void> check(const config::Config& config);
    static Options from(const config::Config& config);
};

}  // namespace postern::cleanup
