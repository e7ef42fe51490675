// Json: a JSON text (RFC 8259) as a tree, for what other systems send us: tokens, keys, answers of
// an authorization server. Strict: no comments, no duplicate names, UTF-8 only; bounded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"

namespace postern {

class Json {
  public:
    static constexpr std::size_t kMaxText = 64 * 1024;
    static constexpr std::size_t kMaxMembers = 1000;  // of one object
    static constexpr int kMaxDepth = 32;

    // Errc::invalid says what is wrong, and where.
    static Result<Json> parse(std::string_view text);

    enum class Kind : unsigned char { null, boolean, number, string, array, object };
    Kind kind() const { return kind_; }
    bool is_object() const { return kind_ == Kind::object; }

    // The value of an object's name; null when this is no object or has no such name.
    const Json* find(std::string_view name) const;
    // Nothing when it is of another kind.
    std::optional<std::string_view> string() const;
    std::optional<bool> boolean() const;
    // A number's whole part; nothing when it does not fit.
    std::optional<std::int64_t> integer() const;
    // Elements of an array, or values of an object.
    const std::vector<Json>& elements() const { return elements_; }

  private:
    friend class JsonParser;
    Kind kind_ = Kind::null;
    bool boolean_ = false;
    std::string text_;                // of a string; a number as it was written
    std::vector<Json> elements_;      // of an array; an object's values
    std::vector<std::string> names_;  // an object's, in the same order
};

// A JSON string with its quotes. What is no UTF-8 stays as it is.
std::string json_quote(std::string_view text);

}  // namespace postern
