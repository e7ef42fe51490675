// Lookup<T>: the three outcomes of asking a table, DNS or a user database. A failed lookup must
// never look like "not there": mail for a user whose table is unreachable is deferred, not bounced.
#pragma once

#include <utility>
#include <variant>

#include "lib/base/result.h"

namespace postern {

struct NotFound {};

template <class T>
class [[nodiscard]] Lookup {
  public:
    Lookup(T value) : state_(std::in_place_index<0>, std::move(value)) {}
    Lookup(NotFound) : state_(std::in_place_index<1>) {}
    Lookup(Error error) : state_(std::in_place_index<2>, std::move(error)) {}

    bool found() const { return state_.index() == 0; }
    bool not_found() const { return state_.index() == 1; }
    bool failed() const { return state_.index() == 2; }

    // Precondition: found().
    T& value() & {
        POSTERN_CHECK(found());
        return *std::get_if<0>(&state_);
    }
    const T& value() const& {
        POSTERN_CHECK(found());
        return *std::get_if<0>(&state_);
    }
    T&& value() && {
        POSTERN_CHECK(found());
        return std::move(*std::get_if<0>(&state_));
    }
    T& operator*() & { return value(); }
    const T& operator*() const& { return value(); }
    T* operator->() { return &value(); }
    const T* operator->() const { return &value(); }

    // Precondition: failed().
    const Error& error() const& {
        POSTERN_CHECK(failed());
        return *std::get_if<2>(&state_);
    }
    Error&& error() && {
        POSTERN_CHECK(failed());
        return std::move(*std::get_if<2>(&state_));
    }

  private:
    std::variant<T, NotFound, Error> state_;
};

}  // namespace postern
