// Reply and Decision: what one restriction, or a whole list of them, comes to.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace postern::policy {

struct Reply {
    int code = 451;
    std::string status = "4.3.0";
    std::string text;
};

// The reply with the class digit of its status agreeing with the code (451 never says "5.…").
Reply make_reply(int code, std::string_view status, std::string_view text);

// permit ends its list, refuse ends everything, dunno leaves it to the next restriction.
struct Decision {
    enum class Kind : unsigned char { dunno, permit, refuse };
    Kind kind = Kind::dunno;
    Reply reply{};

    static Decision dunno() { return {}; }
    static Decision permit() { return {Kind::permit, {}}; }
    static Decision refuse(Reply reply) { return {Kind::refuse, std::move(reply)}; }
    bool undecided() const { return kind == Kind::dunno; }
    bool refused() const { return kind == Kind::refuse; }
};

// "5.7.1 text" -> status and text; the default status where there is none.
std::pair<std::string, std::string> split_reply_status(std::string_view text,
                                                       std::string_view fallback);

// "Server configuration error": what a client hears of our mistakes.
Reply configuration_error();

}  // namespace postern::policy
