// The resolvers that ask the network, with libunbound: its cache, its retries, its validation.
// Everything is read (resolv.conf, hosts) when the object is made, that is, before the jail.
// libunbound does its work in a thread of its own, which starts with the first question; answers
// arrive through a descriptor that the loop watches or the worker polls.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "lib/base/result.h"
#include "lib/loop/loop.h"

#include "lib/dns/resolver.h"

struct ub_ctx;
struct ub_result;

namespace postern::dns {

struct Options {
    // "192.0.2.53" or "192.0.2.53@5353": ask these instead of those in resolv.conf.
    std::vector<std::string> forwarders;
    std::string resolv_conf = "/etc/resolv.conf";  // empty: none, ask the root servers
    std::string hosts = "/etc/hosts";              // empty: none
    // The keys of the root zone ("/usr/share/dns/root.key"): with them answers are validated
    // (DNSSEC). Empty: nothing is.
    std::string trust_anchor;
};

namespace detail {

struct ContextDeleter {
    void operator()(ub_ctx* context) const;
};

// A ub_ctx and the answers that it has delivered but nobody has taken.
class Context {
  public:
    static Result<std::unique_ptr<Context>> make(const Options& options);
    explicit Context(std::unique_ptr<ub_ctx, ContextDeleter> context)
        : context_(std::move(context)) {}

    // Starts a question; the number names it.
    Result<int> ask(std::string_view name, RecordType type);
    void cancel(int id);
    int fd();
    // Reads what the worker has answered: by question.
    std::map<int, AnswerLookup> take_answers();

  private:
    struct Question {
        Context* context;
        RecordType type;
        int id;
    };
    static void on_answer(void* question, int error, ub_result* result);

    // Declared first, so destroyed last: the context may refer to questions until it is gone.
    std::map<int, std::unique_ptr<Question>> questions_;
    std::map<int, AnswerLookup> answers_;
    std::unique_ptr<ub_ctx, ContextDeleter> context_;
};

}  // namespace detail

class LoopResolver final : public AsyncResolver {
  public:
    static Result<std::unique_ptr<LoopResolver>> make(loop::Loop& loop, const Options& options);
    LoopResolver(loop::Loop& loop, std::unique_ptr<detail::Context> context);
    ~LoopResolver() override;

    Id resolve(std::string_view name, RecordType type, Millis timeout, Callback done) override;
    void cancel(Id id) override;

  private:
    struct Pending;
    void on_readable();
    void finish(Id id, AnswerLookup answer);
    void start_watch();

    loop::Loop& loop_;
    std::unique_ptr<detail::Context> context_;
    std::unique_ptr<loop::Watch> watch_;
    std::map<Id, std::unique_ptr<Pending>> pending_;
    std::map<int, Id> by_question_;
    Id last_id_ = 0;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

class WorkerResolver final : public BlockingResolver {
  public:
    static Result<std::unique_ptr<WorkerResolver>> make(const Options& options);
    explicit WorkerResolver(std::unique_ptr<detail::Context> context)
        : context_(std::move(context)) {}

    AnswerLookup resolve(std::string_view name, RecordType type, const Deadline& deadline) override;

  private:
    std::unique_ptr<detail::Context> context_;
};

}  // namespace postern::dns
