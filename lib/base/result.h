// Result<T>: a value or an Error. Every function that can fail for a reason outside the program
// returns one; bugs end the process instead (check.h). The interface is a subset of
// std::expected, so that the C++23 library can take its place later.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

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

// A union and not std::variant, which takes a noticeable part of a build to compile. A Result can
// be moved and not copied; the one moved from still holds what it held.
template <class T>
class [[nodiscard]] Result {
    static_assert(!std::is_reference_v<T> && !std::is_same_v<std::remove_cv_t<T>, Error>);

  public:
    using value_type = T;

    Result(T value) : has_value_(true), value_(std::move(value)) {}
    Result(Error error) : has_value_(false), error_(std::move(error)) {}
    Result(Result&& other) noexcept : has_value_(other.has_value_) { take(std::move(other)); }
    Result& operator=(Result&& other) noexcept {
        if (this == &other) return *this;
        destroy();
        has_value_ = other.has_value_;
        take(std::move(other));
        return *this;
    }
    ~Result() { destroy(); }

    bool has_value() const { return has_value_; }
    explicit operator bool() const { return has_value_; }

    // Precondition: has_value().
    T& value() & { return checked(); }
    const T& value() const& { return const_cast<Result*>(this)->checked(); }
    T&& value() && { return std::move(checked()); }
    T& operator*() & { return checked(); }
    const T& operator*() const& { return value(); }
    T&& operator*() && { return std::move(checked()); }
    T* operator->() { return &checked(); }
    const T* operator->() const { return &value(); }

    template <class U>
    T value_or(U&& other) && {
        return has_value() ? std::move(*this).value() : static_cast<T>(std::forward<U>(other));
    }

    // Precondition: !has_value().
    const Error& error() const& {
        POSTERN_CHECK(!has_value_);
        return error_;
    }
    Error&& error() && {
        POSTERN_CHECK(!has_value_);
        return std::move(error_);
    }

  private:
    T& checked() {
        POSTERN_CHECK(has_value_);
        return value_;
    }
    void take(Result&& other) {
        if (has_value_) {
            std::construct_at(&value_, std::move(other.value_));
        } else {
            std::construct_at(&error_, std::move(other.error_));
        }
    }
    void destroy() {
        if (has_value_) {
            std::destroy_at(&value_);
        } else {
            std::destroy_at(&error_);
        }
    }

    bool has_value_;
    union {
        T value_;
        Error error_;
    };
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
