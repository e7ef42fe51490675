#include "lib/queue/envelope.h"

#include <algorithm>

namespace postern::queue {

std::uint8_t notify_of_members(std::uint8_t notify) {
    if (notify == kNotifySuccess) return kNotifyNever;
    return static_cast<std::uint8_t>(notify & ~kNotifySuccess);
}

std::string_view Envelope::attribute(std::string_view name) const {
    for (const Attribute& a : attributes)
        if (a.name == name) return a.value;
    return {};
}

void Envelope::set_attribute(std::string_view name, std::string_view value) {
    const auto at = std::find_if(attributes.begin(), attributes.end(),
                                 [&](const Attribute& a) { return a.name == name; });
    if (value.empty()) {
        if (at != attributes.end()) attributes.erase(at);
    } else if (at != attributes.end()) {
        at->value = value;
    } else {
        attributes.push_back({std::string(name), std::string(value)});
    }
}

std::size_t Envelope::remaining() const {
    return static_cast<std::size_t>(std::count_if(recipients.begin(), recipients.end(),
                                                  [](const Recipient& r) { return !r.done; }));
}

}  // namespace postern::queue
