#include "lib/mailbox/appender.h"

#include "lib/base/strings.h"
#include "lib/mailbox/mbox_inbox.h"
#include "lib/mailbox/message_name.h"

namespace postern::mailbox {

Appender::Appender(const Mailbox& mailbox)
    : env_(mailbox.environment()), path_(mailbox.path()), seen_(env_), group_(*env_.fs) {}

Appender::~Appender() {
    if (!committed_) group_.abandon();
}

// Each under a name of its own, with its flags in the name.
Result<void> Appender::add(const AppendMessage& message) {
    FolderIndex::Arrival arrival;
    arrival.flags.system = message.flags;
    seen_.note(arrival.flags);
    for (const std::string& name : message.keywords) {
        if (iequals(name, kForwardedKeyword))
            arrival.flags.keywords = 1;
        else
            arrival.keywords.push_back(name);
    }
    const std::string info = arrival.flags == Flags{} ? "" : info_of_flags(arrival.flags, "");
    std::string stem = message.stem;
    if (stem.empty()) stem = unique_stem(*env_.clock, *env_.random, env_.host);
    deliveries_.push_back({path_, std::move(stem), message.content, message.date, info});
    TRY(group_.add(deliveries_.back()));
    arrival.name = group_.prepared_name(deliveries_.size() - 1);
    arrival.wire_size =
        size_in_name(MessageName::parse(arrival.name).base, 'W').value_or(kUnknownSize);
    if (message.date != 0) arrival.date = message.date;
    arrival.uid = message.uid;
    arrivals_.push_back(std::move(arrival));
    return {};
}

Result<void> Appender::none_failed() const {
    for (const auto& result : group_.results())
        if (!result) return Error(result.error());
    return {};
}

std::uint64_t Appender::size_of_all() const {
    std::uint64_t bytes = 0;
    for (const auto& arrival : arrivals_)
        bytes += size_in_name(MessageName::parse(arrival.name).base, 'S').value_or(0);
    return bytes;
}

Result<Appended> Appender::commit() {
    group_.sync();
    TRY(none_failed());
    const Quota* quota = env_.quota.get();
    const std::uint64_t bytes = quota == nullptr ? 0 : size_of_all();
    std::optional<FolderLock> turn;
    if (quota != nullptr) {
        TRY_ASSIGN(turn, quota->take_turn(bytes, arrivals_.size()));
    }
    if (env_.mbox) TRY(env_.mbox->pull(env_, path_, MboxInbox::Patience::some));
    FolderIndex index(env_, path_);
    TRY(index.load(false));
    auto appended = index.arrive(
        arrivals_, [&] { return group_.publish_names(), none_failed(); },
        [&] { return group_.sync_names(), none_failed(); });
    committed_ = appended.has_value();
    if (!committed_) return appended;
    if (quota != nullptr)
        quota->add(static_cast<std::int64_t>(bytes), static_cast<std::int64_t>(arrivals_.size()));
    seen_.keep(*appended, index.modseq());
    if (env_.mbox) TRY(env_.mbox->push(env_, path_, index.modseq()));
    return appended;
}

}  // namespace postern::mailbox
