// Verdict: what a delivery, a policy question or a command comes to: accept, try later, or never.
// When code cannot tell, it defers.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace postern {

struct [[nodiscard]] Verdict {
    enum class Kind : unsigned char { accept, defer, reject };

    Kind kind = Kind::defer;
    std::string status;  // enhanced status code "x.y.z", RFC 3463; its class agrees with kind
    std::string text;    // one line for people; no CR, LF

    static Verdict accept(std::string_view status = "2.0.0", std::string_view text = "Ok") {
        return {Kind::accept, std::string(status), std::string(text)};
    }
    static Verdict defer(std::string_view status, std::string_view text) {
        return {Kind::defer, std::string(status), std::string(text)};
    }
    static Verdict reject(std::string_view status, std::string_view text) {
        return {Kind::reject, std::string(status), std::string(text)};
    }

    bool accepted() const { return kind == Kind::accept; }
    bool deferred() const { return kind == Kind::defer; }
    bool rejected() const { return kind == Kind::reject; }
};

}  // namespace postern
