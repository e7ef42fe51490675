// Lookup<T>: the three outcomes of asking a table, DNS or a user database. A failed lookup must
// never look like "not there": mail for a user whose table is unreachable is deferred, not bounced.
#pragma once

#include <utility>

#include "lib/base/result.h"

namespace postern {

struct NotFound {};

template <class T>
class [[nodiscard]] Lookup {
  public:
    Lookup(T value) : outcome_(std::move(value)) {}
    Lookup(NotFound) : outcome_(Error{.code = Errc::not_found, .what = {}}), not_found_(true) {}
    Lookup(Error error) : outcome_(std::move(error)) {}

    bool found() const { return outcome_.has_value(); }
    bool not_found() const { return not_found_; }
    bool failed() const { return !found() && !not_found_; }

    // Precondition: found().
    T& value() & { return outcome_.value(); }
    const T& value() const& { return outcome_.value(); }
    T&& value() && { return std::move(outcome_).value(); }
    T& operator*() & { return value(); }
    const T& operator*() const& { return value(); }
    T* operator->() { return &value(); }
    const T* operator->() const { return &value(); }

    // Precondition: failed().
    const Error& error() const& {
        POSTERN_CHECK(failed());
        return outcome_.error();
    }
    Error&& error() && {
        POSTERN_CHECK(failed());
        return std::move(outcome_).error();
    }

  private:
    Result<T> outcome_;
    bool not_found_ = false;
};

}  // namespace postern
