#include "lib/queue/envelope.h"

#include <algorithm>

#include "lib/base/strings.h"

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

int Envelope::priority() const {
    const auto value = parse_number<int>(attribute(attribute::kPriority));
    return value && *value >= -9 && *value <= 9 ? *value : 0;
}

WallTime Envelope::release() const {
    const auto value = parse_number<std::int64_t>(attribute(attribute::kRelease));
    return WallTime(Micros(value && *value > 0 ? *value : 0));
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
