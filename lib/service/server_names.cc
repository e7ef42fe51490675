#include "lib/service/server_names.h"

#include <memory>

#include "lib/base/encode.h"
#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/table/maps.h"
#include "lib/tls/context.h"

namespace postern::service {
namespace {

Lookup<std::string> find_with_parents(table::Maps& maps, std::string_view name) {
    auto found = maps.find(name);
    for (auto dot = name.find('.'); found.not_found() && dot != std::string_view::npos;
         dot = name.find('.', dot + 1))
        found = maps.find(name.substr(dot), table::KeyKind::part);
    return found;
}

Lookup<std::string> certificate_of(table::Maps& maps, const std::string& name) {
    auto found = find_with_parents(maps, name);
    if (found.not_found()) return NotFound{};
    auto why = found.failed() ? Result<void>(found.error()) : Result<void>();
    if (found.found()) {
        auto pem = base64_decode(trim(*found));
        why = pem ? tls::check_identity(*pem)
                  : Result<void>(Error{Errc::invalid, "value not made by postmap -F"});
        if (why) return std::move(*pem);
    }
    log::warning("", cat({"tls_server_sni_maps: ", name, ": ", why.error().what}));
    return std::move(why).error();
}

}  // namespace

Result<std::function<Lookup<std::string>(const std::string& name)>> certificates_by_name(
    const config::Config& config, const KeyFiles& keys) {
    std::function<Lookup<std::string>(const std::string& name)> lookup;
    const auto tables = config.get(param::tls_server_sni_maps);
    for (const auto& spec : tables) {
        if (table_file(spec).empty())
            return Error{Errc::invalid,
                         cat({"tls_server_sni_maps: ", spec,
                              ": only hash:, btree:, lmdb:, cdb: and texthash: tables with what "
                              "postmap -F makes can hold certificates"})};
    }
    if (tables.empty()) return lookup;
    auto maps = std::make_shared<table::Maps>(
        table::Maps::open(keys.readable_tables(tables, KeyFiles::Prefer::handed_over)));
    for (const Error& problem : maps->problems())
        log::warning("", cat({"tls_server_sni_maps: ", problem.what}));
    lookup = [maps](const std::string& name) { return certificate_of(*maps, name); };
    return lookup;
}

}  // namespace postern::service
