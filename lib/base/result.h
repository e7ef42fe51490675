// Result<T>: a value or an Error. Every function that can fail for a reason outside the program
// returns one; bugs end the process instead (check.h). The interface is a subset of
// std::expected, so that the C++23 library can take its place later.
#pragma once

#include <string>
#include <type_traits>
#include <utility>
#include <variant>

#include "lib/base/check.h"

namespace postern {

// What kind of failure it was, in the terms that decide what a mail system does next.
enum class Errc : unsigned char {
    temporary,  // may work later: network, table server, resource that others hold
    permanent,  // will not work later either
    not_found,  // the named thing does not exist
    invalid,    // the input is malformed
    denied,     // we or they are not allowed to
    timeout,    // no answer by the deadline
    closed,     // the other side ended the conversation
    corrupt,    // stored data contradicts itself
    no_space,   // disk, quota or descriptors are used up
};

// A failure. `what` names the object first ("open incoming/4Xy: Permission denied"), so that it can
// be logged as it stands.
struct [[nodiscard]] Error {
    Errc code = Errc::temporary;
    std::string what;
    int sys = 0;  // errno, if a system call failed

    // The same failure seen from further up: "context: what".
    Error within(std::string_view context) && {
        what.insert(0, std::string(context) + ": ");
        return std::move(*this);
    }
};

template <class T>
class [[nodiscard]] Result {
    static_assert(!std::is_reference_v<T> && !std::is_same_v<std::remove_cv_t<T>, Error>);

  public:
    using value_type = T;

    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

    bool has_value() const { return state_.index() == 0; }
    explicit operator bool() const { return has_value(); }

    // Precondition: has_value().
    T& value() & { return *checked(); }
    const T& value() const& { return *const_cast<Result*>(this)->checked(); }
    T&& value() && { return std::move(*checked()); }
    T& operator*() & { return *checked(); }
    const T& operator*() const& { return value(); }
    T&& operator*() && { return std::move(*checked()); }
    T* operator->() { return checked(); }
    const T* operator->() const { return &value(); }

    template <class U>
    T value_or(U&& other) && {
        return has_value() ? std::move(*this).value() : static_cast<T>(std::forward<U>(other));
    }

    // Precondition: !has_value().
    const Error& error() const& {
        POSTERN_CHECK(!has_value());
        return *std::get_if<1>(&state_);
    }
    Error&& error() && {
        POSTERN_CHECK(!has_value());
        return std::move(*std::get_if<1>(&state_));
    }

  private:
    T* checked() {
        POSTERN_CHECK(has_value());
        return std::get_if<0>(&state_);
    }

    std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
  public:
    using value_type = void;

    Result() = default;
    Result(Error error) : failed_(true), error_(std::move(error)) {}

    bool has_value() const { return !failed_; }
    explicit operator bool() const { return !failed_; }
    void value() const { POSTERN_CHECK(!failed_); }

    const Error& error() const& {
        POSTERN_CHECK(failed_);
        return error_;
    }
    Error&& error() && {
        POSTERN_CHECK(failed_);
        return std::move(error_);
    }

  private:
    bool failed_ = false;
    Error error_;
};

}  // namespace postern

#define POSTERN_JOIN2(a, b) a##b
#define POSTERN_JOIN(a, b) POSTERN_JOIN2(a, b)

// TRY(expr): returns the Error of a Result to our caller, or goes on.
#define TRY(expr)                                                                \
    do {                                                                         \
        if (auto try_result = (expr); !try_result) {                             \
            return std::move(try_result).error();                                \
        }                                                                        \
    } while (false)

// TRY_ASSIGN(declaration, expr): the same, and otherwise initialises the declaration with the value.
#define TRY_ASSIGN(declaration, expr) \
    TRY_ASSIGN_NAMED(POSTERN_JOIN(try_result_, __LINE__), declaration, expr)
#define TRY_ASSIGN_NAMED(name, declaration, expr) \
    auto name = (expr);                           \
    if (!name) return std::move(name).error();    \
    declaration = std::move(name).value()
