// Text: a message as milters see and change it: a list of header fields, and a body. Pure, held in
// memory. What a milter puts in is brought into wire form (CRLF, RFC 5321 2.3.8) here.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace postern::milter {

class Text {
  public:
    static constexpr std::size_t kMaxFields = 10000;

    Text() = default;
    // Wire form. `own_received`: the first field is the one that we have just added, which milters
    // do not see, as Sendmail has it.
    Text(std::string_view message, bool own_received);

    std::size_t fields() const { return fields_.size(); }
    std::size_t first_field() const { return own_received_ ? 1 : 0; }
    std::string_view name(std::size_t field) const;
    // What follows the colon, lines parted by LF.
    std::string value(std::size_t field) const;
    const std::string& body() const { return body_; }

    // Judges each field that an edit would put in (with its line end): what goes in instead of it,
    // or nothing: the edit is left out.
    using FieldFilter = std::function<std::optional<std::string>(std::string field)>;
    void filter_fields(FieldFilter filter) { filter_ = std::move(filter); }

    // Edits. A name or place that cannot be is false, and nothing changes.
    bool add(std::string_view name, std::string_view value);
    // At this place from the top, 0 being the first, before our own Received:.
    bool insert(std::uint32_t at, std::string_view name, std::string_view value);
    // The n-th field of that name, from 1; an empty value removes it. One that is not there is
    // added.
    bool change(std::uint32_t n, std::string_view name, std::string_view value);
    // The first call for a milter's answer takes the old body away.
    void begin_body() { body_.clear(); }
    void append_body(std::string_view bytes) { body_ += bytes; }
    void finish_body();  // in wire form, with a line end at its end

    std::string str() const;
    bool has_dot_lines() const;
    std::size_t size() const;

  private:
    std::optional<std::string> made(std::string_view name, std::string_view value) const;

    FieldFilter filter_;
    std::vector<std::string> fields_;  // with line ends
    std::string body_;
    bool own_received_ = false;
};

}  // namespace postern::milter
