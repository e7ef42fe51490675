#include "local/intention.h"

#include <algorithm>

#include "lib/base/strings.h"
#include "lib/log/log.h"

namespace postern::local {
namespace {

std::string into(const Target& target) {
    if (!target.command.empty()) return cat({"delivers to command: ", target.command});
    return target.is_maildir() ? "delivers to maildir" : "delivers to mailbox";
}

}  // namespace

std::string intention(const MailboxJob& job) {
    return job.targets.empty() ? std::string() : into(job.targets.front());
}

std::string intention(const ForwardJob& job) {
    return cat({"forwards to ", join(job.forwards, ", ")});
}

std::string intention(const RunnerJob& job) {
    if (job.orders.empty() && !job.targets.empty()) return into(job.targets.front());
    std::vector<std::string> texts;
    for (const Order& order : job.orders) texts.push_back(order.text);
    return cat({"delivers to ", join(texts, ", ")});
}

std::string expansion(const Plan& plan) {
    const auto& followed = plan.followed;
    if (followed.empty()) return {};
    const auto begin = followed.begin();
    const auto last = followed.end() - 1;
    if (std::find(begin, last, *last) != last) return cat({"itself: ", join(followed, ", ")});
    constexpr std::size_t kTold = 20;
    std::vector<std::string> to;
    if (!plan.user.empty()) to.push_back(cat({"the mailbox of ", plan.user}));
    for (const auto& one : plan.forwards) to.push_back(cat({"<", one, ">"}));
    for (const auto& order : plan.orders) to.push_back(order.text);
    const std::size_t count = to.size();
    if (count > kTold) to.resize(kTold);
    const std::vector<std::string> further(begin + 1, followed.end());
    return cat({join(to, ", "), count > kTold ? ", and more" : "",
                further.empty() ? "" : ", by way of ", join(further, ", ")});
}

void tell_expansion(const ipc::DeliverRequest& request, const ipc::DeliverRecipient& recipient,
                    const Plan& plan) {
    if (plan.followed.empty() || !log::records_kept()) return;
    log::story(request.queue_id.str(),
               cat({"to=<", recipient.address, ">: an alias of ", expansion(plan)}),
               {log::kv("rule", "alias_maps")});
}

}  // namespace postern::local
