// Resolver: see resolver.h.
#include "qmgr/resolver.h"

#include <utility>

#include "lib/base/strings.h"

namespace postern::qmgr {

Resolver::Resolver(loop::Loop& loop, std::string path, Limits limits)
    : loop_(loop), limits_(limits), client_(loop, std::move(path)), retry_timer_(loop, [this] {
          waiting_.insert(waiting_.begin(), retrying_.begin(), retrying_.end());
          retrying_.clear();
          pump();
      }) {}

void Resolver::resolve(const std::string& sender, const std::string& recipient, bool probe,
                       Done done) {
    const std::string_view separator(probe ? "\1" : "\0", 1);
    std::string key = cat({sender, separator, recipient});
    if (auto known = known_.find(key); known != known_.end()) {
        if (loop_.clock().steady() < known->second.until)
            return done(Result<ipc::ResolveAnswer>(known->second.answer));
        known_.erase(known);
    }
    auto [place, is_new] = questions_.try_emplace(key);
    place->second.waiting.push_back(std::move(done));
    if (!is_new) return;
    place->second.request = {sender, recipient, probe};
    waiting_.push_back(std::move(key));
    pump();
}

void Resolver::pump() {
    while (under_way_ < limits_.outstanding && !waiting_.empty()) {
        std::string key = std::move(waiting_.front());
        waiting_.pop_front();
        ask(key);
    }
}

void Resolver::ask(const std::string& key) {
    Question& question = questions_.at(key);
    ++under_way_;
    ++question.attempts;
    client_.call<ipc::ResolveAnswer>(
        question.request, limits_.timeout,
        [this, key](Result<ipc::ResolveAnswer> answer) { answered(key, std::move(answer)); });
}

void Resolver::answered(const std::string& key, Result<ipc::ResolveAnswer> answer) {
    --under_way_;
    auto place = questions_.find(key);
    if (!answer && place->second.attempts < limits_.attempts) {
        retrying_.push_back(key);
        if (!retry_timer_.active()) retry_timer_.start(limits_.retry);
        return pump();
    }
    if (answer && answer->outcome != ipc::LookupOutcome::temporary) remember(key, *answer);
    std::vector<Done> waiting = std::move(place->second.waiting);
    questions_.erase(place);
    for (Done& done : waiting) done(answer);
    pump();
}

void Resolver::remember(const std::string& key, const ipc::ResolveAnswer& answer) {
    if (known_.size() >= limits_.remembered) known_.clear();
    known_[key] = Known{loop_.clock().steady() + limits_.remember, answer};
}

}  // namespace postern::qmgr
