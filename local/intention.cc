#include "local/intention.h"

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

void tell_expansion(const ipc::DeliverRequest& request, const ipc::DeliverRecipient& recipient,
                    const Plan& plan) {
    if (!log::records_kept()) return;
    constexpr std::size_t kTold = 20;
    std::vector<std::string> to;
    if (!plan.user.empty()) to.push_back(cat({"mailbox of ", plan.user}));
    for (const auto& one : plan.forwards) to.push_back(cat({"<", one, ">"}));
    for (const auto& order : plan.orders) to.push_back(order.text);
    const std::size_t count = to.size();
    if (count > kTold) to.resize(kTold);
    log::story(request.queue_id.str(),
               cat({"to=<", recipient.address, ">: an alias of ", join(to, ", "),
                    count > kTold ? ", and more" : ""}),
               {log::kv("rule", "alias_maps")});
}

}  // namespace postern::local
