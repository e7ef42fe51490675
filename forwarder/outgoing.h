// What the message becomes on its way out: smtp_header_checks and its relatives, and the addresses
// that smtp_generic_maps have for the world outside; seven bits for a server that takes no more.
// Bytes in, bytes out, in any portions; pure but for the tables.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "lib/base/result.h"
#include "lib/config/config.h"
#include "lib/content/address_map.h"
#include "lib/content/body_filter.h"
#include "lib/content/rules.h"
#include "lib/content/seven_bit.h"
#include "lib/table/address_class.h"

namespace postern::forwarder {

struct OutgoingSettings {
    bool lmtp = false;
    content::TableNames checks;
    content::Limits limits;
    std::string generic_maps;
    content::AddressMapRules addresses;
    std::size_t token_limit = 10240;  // header_address_token_limit
    table::ClassLists classes;        // whose users may be in generic_maps without a domain

    static OutgoingSettings from(const config::Config& config, bool lmtp);
};

// The tables; one for the process.
class Outgoing {
  public:
    explicit Outgoing(const OutgoingSettings& settings);

    bool has_generic_maps() const { return !generic_.empty(); }
    // Whether anything of a message's text may change.
    bool changes_text() const { return has_generic_maps() || !rules_.empty(); }
    // The address for the world outside; itself where no table has it.
    Result<std::string> generic(const std::string& address);
    content::TableRules& rules() { return rules_; }
    const OutgoingSettings& settings() const { return settings_; }

  private:
    const OutgoingSettings& settings_;
    content::TableRules rules_;
    table::Maps generic_;
    table::DomainClasses classes_;
};

// One message. What the rules have to say is logged under its id.
class OutgoingFilter {
  public:
    enum class Bits : bool { as_they_are, seven };
    OutgoingFilter(Outgoing& tables, std::string id, Bits bits = Bits::as_they_are)
        : tables_(tables), id_(std::move(id)) {
        if (bits == Bits::seven) converter_.emplace(tables.settings().limits);
    }

    // Errors: a table could not tell; the message must wait.
    Result<void> feed(std::string_view bytes, std::string& out);
    Result<void> finish(std::string& out);

  private:
    void take(std::string_view bytes, std::string& out);
    void end(std::string& out);
    void header_bytes(std::string_view bytes, std::string& out);
    void header_line(std::string line, std::string_view rest, std::string& out);
    void end_field(std::string& out);
    void put_field(std::string_view lower_name, std::string field, std::string& out);
    void end_header();
    void body_bytes(std::string_view bytes, std::string& out);
    Result<void> judged();

    Outgoing& tables_;
    const std::string id_;
    bool in_header_ = true;
    std::string partial_;  // a line of the header that is not complete yet
    std::string field_;    // the field that may go on in the next line
    content::PartType type_;
    content::Effects effects_;
    std::optional<content::BodyFilter> body_;
    std::optional<content::SevenBitConverter> converter_;  // of what came out of all that
    std::string changed_;
    std::optional<Error> failure_;
};

}  // namespace postern::forwarder
