#include "lib/dns/unbound_resolver.h"

#include <poll.h>
#include <unbound.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "lib/base/strings.h"

#include "lib/dns/rdata.h"

namespace postern::dns {
namespace detail {
namespace {

// RFC 1035 4.1.1.
constexpr int kNoError = 0;
constexpr int kNxDomain = 3;
// More records than this in one answer are not looked at.
constexpr std::size_t kMaxRecords = 200;

Error unbound_error(std::string_view doing, int code) {
    return Error{Errc::temporary, cat({doing, ": ", ub_strerror(code)})};
}

std::string without_dot(std::string_view name) {
    if (!name.empty() && name.back() == '.') name.remove_suffix(1);
    return std::string(name);
}

AnswerLookup to_answer(RecordType type, const ub_result& result) {
    if (result.bogus) {
        return Error{Errc::temporary, cat({result.qname, ": DNSSEC validation failed"})};
    }
    if (result.rcode == kNxDomain) return NotFound{};
    if (result.rcode != kNoError) {
        return Error{Errc::temporary,
                     cat({result.qname, ": DNS response code ", std::to_string(result.rcode)})};
    }
    Answer answer;
    answer.canonical_name = without_dot(result.canonname ? result.canonname : result.qname);
    answer.ttl = Seconds{result.ttl};
    answer.authenticated = result.secure != 0;
    for (std::size_t i = 0; i < kMaxRecords && result.data && result.data[i]; ++i) {
        std::string_view data(result.data[i], static_cast<std::size_t>(result.len[i]));
        if (auto record = parse_rdata(type, data)) answer.records.push_back(*std::move(record));
    }
    return answer;
}

Result<void> set_option(ub_ctx* context, const char* name, const char* value) {
    if (int code = ub_ctx_set_option(context, name, value)) return unbound_error(name, code);
    return {};
}

Result<void> configure(ub_ctx* context, const Options& options) {
    // A forwarder on this machine is the usual case, not a mistake.
    TRY(set_option(context, "do-not-query-localhost:", "no"));
    // Names of clients on private networks come from the local servers.
    TRY(set_option(context, "unblock-lan-zones:", "yes"));
    for (const std::string& address : options.forwarders) {
        if (int code = ub_ctx_set_fwd(context, address.c_str())) {
            return unbound_error(address, code);
        }
    }
    // A missing file is no error: then the root servers are asked, or no host names are known.
    if (options.forwarders.empty() && !options.resolv_conf.empty()) {
        ub_ctx_resolvconf(context, options.resolv_conf.c_str());
    }
    if (!options.hosts.empty()) ub_ctx_hosts(context, options.hosts.c_str());
    if (!options.trust_anchor.empty()) {
        if (::access(options.trust_anchor.c_str(), R_OK) != 0)
            return Error{Errc::invalid,
                         cat({"DNSSEC trust anchor ", options.trust_anchor, " cannot be read"}),
                         errno};
        if (int code = ub_ctx_add_ta_file(context, options.trust_anchor.c_str()))
            return unbound_error(options.trust_anchor, code);
    }
    if (int code = ub_ctx_async(context, 1)) return unbound_error("libunbound", code);
    // libunbound answers for "test." itself unless told not to. Reads no more files after this.
    if (int code = ub_ctx_zone_remove(context, "test.")) return unbound_error("libunbound", code);
    return {};
}

}  // namespace

void ContextDeleter::operator()(ub_ctx* context) const { ub_ctx_delete(context); }

Result<std::unique_ptr<Context>> Context::make(const Options& options) {
    std::unique_ptr<ub_ctx, ContextDeleter> context(ub_ctx_create());
    if (!context) return Error{Errc::no_space, "libunbound: cannot create a context"};
    TRY(configure(context.get(), options));
    return std::make_unique<Context>(std::move(context));
}

Result<int> Context::ask(std::string_view name, RecordType type) {
    std::string text = ".";  // the root may be asked for
    if (name != text) {
        TRY_ASSIGN(text, ascii_name(name));
    }
    auto question = std::make_unique<Question>(Question{this, type, 0});
    int code = ub_resolve_async(context_.get(), text.c_str(), static_cast<int>(type), 1,
                                question.get(), &Context::on_answer, &question->id);
    if (code != 0) return unbound_error(text, code);
    int id = question->id;
    questions_[id] = std::move(question);
    return id;
}

void Context::cancel(int id) {
    ub_cancel(context_.get(), id);
    questions_.erase(id);
    answers_.erase(id);
}

int Context::fd() { return ub_fd(context_.get()); }

std::map<int, AnswerLookup> Context::take_answers() {
    ub_process(context_.get());
    return std::exchange(answers_, {});
}

void Context::on_answer(void* asked, int error, ub_result* result) {
    auto* question = static_cast<Question*>(asked);
    Context* context = question->context;
    if (error != 0 || !result) {
        context->answers_.emplace(question->id, unbound_error("DNS", error));
    } else {
        context->answers_.emplace(question->id, to_answer(question->type, *result));
    }
    ub_resolve_free(result);
    context->questions_.erase(question->id);
}

}  // namespace detail

// ---- on the loop --------------------------------------------------------------------------------

struct LoopResolver::Pending {
    Pending(loop::Loop& loop, loop::Callback on_timeout) : timer(loop, std::move(on_timeout)) {}
    Callback done;
    int question = -1;  // -1: could not be asked
    loop::Timer timer;
};

LoopResolver::LoopResolver(loop::Loop& loop, std::unique_ptr<detail::Context> context)
    : loop_(loop), context_(std::move(context)) {}

LoopResolver::~LoopResolver() { *alive_ = false; }

Result<std::unique_ptr<LoopResolver>> LoopResolver::make(loop::Loop& loop, const Options& options) {
    TRY_ASSIGN(auto context, detail::Context::make(options));
    return std::make_unique<LoopResolver>(loop, std::move(context));
}

LoopResolver::Id LoopResolver::resolve(std::string_view name, RecordType type, Millis timeout,
                                       Callback done) {
    Id id = ++last_id_;
    auto asked = context_->ask(name, type);
    std::string what(name);
    auto pending = std::make_unique<Pending>(loop_, [this, id, what] {
        finish(id, Error{Errc::timeout, cat({what, ": no DNS answer in time"})});
    });
    pending->done = std::move(done);
    if (asked) {
        start_watch();
        pending->question = *asked;
        by_question_[*asked] = id;
        pending->timer.start(timeout);
    } else {
        loop_.post([this, alive = std::weak_ptr<bool>(alive_), id, error = asked.error()] {
            if (auto living = alive.lock(); living && *living) finish(id, error);
        });
    }
    pending_[id] = std::move(pending);
    return id;
}

void LoopResolver::start_watch() {
    if (watch_) return;
    watch_ = std::make_unique<loop::Watch>(loop_, context_->fd(), [this] { on_readable(); });
    watch_->want_read(true);
}

void LoopResolver::cancel(Id id) {
    auto found = pending_.find(id);
    if (found == pending_.end()) return;
    if (int question = found->second->question; question >= 0) {
        by_question_.erase(question);
        context_->cancel(question);
    }
    pending_.erase(found);
}

void LoopResolver::on_readable() {
    auto alive = alive_;
    for (auto& [question, answer] : context_->take_answers()) {
        auto found = by_question_.find(question);
        if (found == by_question_.end()) continue;
        finish(found->second, std::move(answer));
        if (!*alive) return;
    }
}

void LoopResolver::finish(Id id, AnswerLookup answer) {
    auto found = pending_.find(id);
    if (found == pending_.end()) return;
    Callback done = std::move(found->second->done);
    cancel(id);
    done(std::move(answer));
}

// ---- in a worker --------------------------------------------------------------------------------

Result<std::unique_ptr<WorkerResolver>> WorkerResolver::make(const Options& options) {
    TRY_ASSIGN(auto context, detail::Context::make(options));
    return std::make_unique<WorkerResolver>(std::move(context));
}

AnswerLookup WorkerResolver::resolve(std::string_view name, RecordType type,
                                     const Deadline& deadline) {
    auto asked = context_->ask(name, type);
    if (!asked) return std::move(asked).error();
    while (!deadline.passed()) {
        pollfd readable{context_->fd(), POLLIN, 0};
        if (::poll(&readable, 1, static_cast<int>(deadline.left().count()) + 1) <= 0) continue;
        auto answers = context_->take_answers();
        if (auto found = answers.find(*asked); found != answers.end())
            return std::move(found->second);
    }
    context_->cancel(*asked);
    return Error{Errc::timeout, cat({name, ": no DNS answer in time"})};
}

}  // namespace postern::dns
