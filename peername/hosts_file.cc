#include "peername/hosts_file.h"

#include "lib/base/strings.h"
#include "lib/dns/resolver.h"

namespace postern::peername {

HostsFile HostsFile::parse(std::string_view text) {
    HostsFile file;
    for (const auto line : split(text, '\n')) {
        const auto words = split_words(line.substr(0, line.find('#')));
        if (words.size() < 2 || !dns::is_valid_name(words[1])) continue;
        if (const auto address = IpAddress::parse(words[0]))
            file.names_.emplace(address->unmapped().str(), words[1]);
    }
    return file;
}

std::optional<std::string> HostsFile::name_of(const IpAddress& address) const {
    const auto found = names_.find(address.unmapped().str());
    if (found == names_.end()) return std::nullopt;
    return found->second;
}

}  // namespace postern::peername
