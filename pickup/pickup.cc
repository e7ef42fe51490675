#include "pickup/pickup.h"

#include <algorithm>

#include "lib/base/ids.h"
#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/queue/directories.h"

#include "pickup/notice.h"

namespace postern::pickup {
namespace {

constexpr std::size_t kKeptForNotice = 20'000;  // of each message on its way, should it be refused

}  // namespace

Result<std::unique_ptr<service::Worker>> Pickup::create(const service::Context& context) {
    Options options;
    options.cleanup_socket = "public/" + context.config.get(param::cleanup_service_name);
    options.myhostname = context.config.text("myhostname");
    options.mail_name = context.config.get(param::mail_name);
    options.content_filter = context.config.get(param::content_filter);
    TRY_ASSIGN(options.overrides, config::ReceiveOverrides::read(context.config));
    return std::unique_ptr<service::Worker>(
        std::make_unique<Pickup>(sys::RealFs::instance(), std::move(options)));
}

void Pickup::run() {
    std::set<std::string> tried;
    for (;;) {
        std::vector<std::string> paths = waiting();
        std::erase_if(paths, [&](const std::string& path) { return !tried.insert(path).second; });
        if (paths.empty()) return;
        for (std::size_t at = 0; at < paths.size(); at += options_.at_once) {
            const auto first = paths.begin() + static_cast<std::ptrdiff_t>(at);
            const auto count = static_cast<std::ptrdiff_t>(std::min(options_.at_once, paths.size() - at));
            if (!submit({first, first + count})) return;
        }
    }
}

// Files to look at, oldest first: ids sort by time.
std::vector<std::string> Pickup::waiting() {
    const std::string folder(queue::name_of(queue::Directory::maildrop));
    const auto entries = fs_.list(folder);
    if (!entries) {
        log::warning("", entries.error().what);
        return {};
    }
    std::vector<std::string> paths;
    for (const sys::DirEntry& entry : *entries) {
        std::string path = cat({folder, "/", entry.name});
        if (!stuck_.contains(path) && QueueId::parse(entry.name)) paths.push_back(std::move(path));
    }
    std::sort(paths.begin(), paths.end());
    return paths;
}

std::optional<Dropped> Pickup::open(const std::string& path) {
    auto dropped = open_dropped(fs_, path);
    if (dropped) return std::move(*dropped);
    if (dropped.error().code == Errc::not_found)
        return std::nullopt;  // its submitter changed his mind
    if (dropped.error().code != Errc::closed) {
        log::warning("", cat({path, ": ", dropped.error().what, ": ignored"}));
        stuck_.insert(path);
        return std::nullopt;
    }
    const auto info = fs_.info(path);
    const auto too_old = clock_.now() - options_.stale_after;
    if (info && WallTime(Micros(info->mtime_ns / 1000)) < too_old) {
        log::warning("", cat({path, ": never completed: removed"}));
        remove(path);
    }
    return std::nullopt;
}

bool Pickup::submit(const std::vector<std::string>& paths) {
    std::vector<std::pair<Dropped, Submitted>> on_the_way;
    bool go_on = true;
    for (const std::string& path : paths) {
        auto dropped = open(path);
        if (!dropped) continue;
        auto submitted = Submitted::start(fs_, options_, *dropped);
        if (!submitted) {
            log::warning("", cat({path, ": ", submitted.error().what, ": will be tried again"}));
            go_on = false;
            break;
        }
        dropped->content.resize(std::min(dropped->content.size(), kKeptForNotice));
        on_the_way.emplace_back(std::move(*dropped), std::move(*submitted));
    }
    for (auto& [dropped, submitted] : on_the_way) {
        const auto verdict = submitted.finish();
        if (!verdict)
            log::warning("",
                         cat({dropped.path, ": ", verdict.error().what, ": will be tried again"}));
        go_on = verdict && settle(dropped, *verdict) && go_on;
    }
    return go_on;
}

// Whether to go on: cleanup that cannot take this message cannot take the next either.
bool Pickup::settle(const Dropped& dropped, const Verdict& verdict) {
    if (verdict.deferred()) {
        log::warning("", cat({dropped.path, ": ", verdict.text, ": will be tried again"}));
        return false;
    }
    if (verdict.rejected() && !give_back(dropped, verdict)) return false;
    remove(dropped.path);
    return true;
}

// The submitter went away believing that his mail is sent: he must hear that it is not.
bool Pickup::give_back(const Dropped& dropped, const Verdict& verdict) {
    const std::string& sender = dropped.envelope.sender;
    const std::string recipient = sender.empty() ? "postmaster" : sender;
    log::warning("", cat({dropped.path, ": refused: ", verdict.status, " ", verdict.text,
                          "; returned to <", recipient, ">"}));
    const std::string text = refusal_notice(options_, dropped, verdict, recipient);
    auto notice = Submitted::start_internal(options_, recipient, text);
    if (!notice) return false;
    const auto taken = notice->finish();
    return taken && taken->accepted();
}

void Pickup::remove(const std::string& path) {
    const auto removed = fs_.unlink(path);
    if (removed || removed.error().code == Errc::not_found) return;
    // Submitted and still there: to submit it again every minute would be worse.
    log::warning("", cat({removed.error().what, ": not submitted again by this process"}));
    stuck_.insert(path);
}

}  // namespace postern::pickup
