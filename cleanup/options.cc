#include "cleanup/options.h"

#include <algorithm>

#include "lib/base/strings.h"
#include "lib/config/config.h"
#include "lib/mail/encoded_word.h"
#include "lib/table/address_options.h"

namespace postern::cleanup {
namespace {

bool any_set(const config::Config& config, std::initializer_list<std::string_view> names) {
    return std::any_of(names.begin(), names.end(),
                       [&](std::string_view name) { return !trim(config.text(name)).empty(); });
}

void read_checks(Options& o, const config::Config& config) {
    o.checks.header = join(config.get(param::header_checks), ", ");
    o.checks.mime_header = join(config.get(param::mime_header_checks), ", ");
    o.checks.nested_header = join(config.get(param::nested_header_checks), ", ");
    o.checks.body = join(config.get(param::body_checks), ", ");
    o.milter_header_checks = join(config.get(param::milter_header_checks), ", ");
    o.content.body_checks_size = config.get(param::body_checks_size_limit);
    o.content.mime_input = !config.get(param::disable_mime_input_processing);
    o.content.mime_nesting = config.get(param::mime_nesting_limit);
    o.content.mime_boundary_length = config.get(param::mime_boundary_length_limit);
    const bool both = config.get(param::strict_8bitmime);
    o.content.strict.headers = both || config.get(param::strict_7bit_headers);
    o.content.strict.body = both || config.get(param::strict_8bitmime_body);
    o.content.strict.domain = config.get(param::strict_mime_encoding_domain);
    o.verp_filter = config.get(param::verp_delimiter_filter);
    o.tls_optional = config.get(param::tls_required_enable);
    o.to_seven_bit = o.content.mime_input && config.get(param::force_mime_input_conversion);
    o.detect_8bit = config.get(param::detect_8bit_encoding_header);
    if (auto characters = CharacterRules::from(config)) o.characters = *characters;
    for (const auto& word : config.get(param::internal_mail_filter_classes)) {
        if (word == "bounce") o.check_bounces = true;
        if (word == "notify") o.check_notices = true;
    }
    o.double_bounce_sender = config.get(param::double_bounce_sender);
    o.always_bcc = config.get(param::always_bcc);
    o.soft_bounce = config.get(param::soft_bounce);
}

bool listed(const std::vector<std::string>& classes, std::string_view name) {
    return std::find(classes.begin(), classes.end(), name) != classes.end();
}

// Which addresses some table may change: only about those is rewrite asked.
void read_rewriting(Options& o, const config::Config& config) {
    const auto remote = trim(config.get(param::remote_header_rewrite_domain));
    if (!remote.empty()) {
        o.remote_completion = o.completion;
        o.remote_completion->myorigin = o.remote_completion->mydomain = remote;
    }
    o.header_address_token_limit = config.get(param::header_address_token_limit);
    o.name_charset = config.get(param::full_name_encoding_charset);
    o.obsolete_from = config.get(param::header_from_format) == "obsolete";
    const auto asks = [&](std::string_view name) {
        return (any_set(config, {"canonical_maps"}) &&
                listed(config.get(param::canonical_classes), name)) ||
               (any_set(config, {"sender_canonical_maps"}) &&
                listed(config.get(param::sender_canonical_classes), name)) ||
               (any_set(config, {"recipient_canonical_maps"}) &&
                listed(config.get(param::recipient_canonical_classes), name)) ||
               (any_set(config, {"masquerade_domains"}) &&
                listed(config.get(param::masquerade_classes), name));
    };
    o.ask_about_recipients =
        asks("envelope_recipient") || any_set(config, {"virtual_alias_maps", "recipient_bcc_maps"});
    o.ask_about_senders = asks("envelope_sender") || any_set(config, {"sender_bcc_maps"});
    o.rewrite_header_senders = asks("header_sender");
    o.rewrite_header_recipients = asks("header_recipient");
}

}  // namespace

Result<void> Options::check(const config::Config& config) {
    TRY(CharacterRules::from(config));
    const std::string charset = config.get(param::full_name_encoding_charset);
    if (!charset.empty() && !mail::is_charset_name(charset))
        return Error{
            Errc::invalid,
            cat({"parameter full_name_encoding_charset: bad value \"", printable(charset, 80),
                 "\": expected the name of a character set, as utf-8, or nothing"})};
    return {};
}

Options Options::from(const config::Config& config) {
    Options o;
    o.myhostname = config.text("myhostname");
    o.mail_name = config.get(param::mail_name);
    o.completion = table::completion(config);
    o.smtputf8 = config.get(param::smtputf8_enable);
    o.utf8_classes = config.get(param::smtputf8_autodetect_classes);
    o.content.header_size = config.get(param::header_size_limit);
    o.message_size_limit = config.get(param::message_size_limit);
    o.hopcount_limit = config.get(param::hopcount_limit);
    o.duplicate_filter_limit = config.get(param::duplicate_filter_limit);
    o.queue_minfree = config.get(param::queue_minfree);
    if (o.queue_minfree == 0) o.queue_minfree = o.message_size_limit / 2 * 3;
    o.always_add_missing_headers = config.get(param::always_add_missing_headers);
    o.drop_headers = config.get(param::message_drop_headers);
    for (std::string& name : o.drop_headers) name = to_lower(name);
    o.undisclosed_recipients_header = config.get(param::undisclosed_recipients_header);
    read_rewriting(o, config);
    read_checks(o, config);
    o.rewrite_socket = "private/" + config.text("rewrite_service_name");
    o.qmgr_socket = "public/" + config.get(param::queue_service_name);
    o.batch_messages = config.get(param::queue_batch_limit);
    o.batch_bytes = config.get(param::queue_batch_size_limit);
    o.spare_files = config.get(param::queue_spare_files);
    o.sync_directory = config.get(param::queue_sync_directory);
    o.memory_per_message = config.get(param::queue_memory_limit);
    return o;
}

}  // namespace postern::cleanup
