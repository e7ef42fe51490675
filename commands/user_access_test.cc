#include "commands/user_access.h"

#include <gtest/gtest.h>

namespace postern::commands {
namespace {

TEST(UserAccess, Lists) {
    const std::string me = caller_name();
    EXPECT_TRUE(*is_authorized("static:anyone"));
    EXPECT_TRUE(*is_authorized("nobody-of-this-name, " + me));
    EXPECT_TRUE(*is_authorized("inline:{" + me + "=x}"));
    EXPECT_FALSE(*is_authorized("!" + me + ", static:anyone"));
    EXPECT_FALSE(*is_authorized(""));
    EXPECT_FALSE(is_authorized("fail:x").has_value());
}

TEST(UserAccess, Senders) {
    SenderRules rules;
    rules.maps =
        "inline:{ {root = *}, {ann = ann, ann@a.test <> @all.test, O\x27Hara@b.test} {joe=joe} }";
    rules.recipient_delimiter = "+";
    const struct {
        std::string_view login, sender;
        bool may;
    } cases[] = {
        {"root", "anything@x", true},
        {"root", "", true},
        {"ann", "ann", true},
        {"ann", "ann+box@A.test", true},
        {"ann", "Any.Body@all.test", true},
        {"ann", "any@all.test.", false},
        {"ann", "", true},
        {"ann", "ann@b.test", false},
        {"ann", "o'hara@b.test", true},
        {"joe", "", false},
        {"joe", "joe@a.test", false},
        {"eve", "eve", false},
    };
    for (const auto& c : cases)
        EXPECT_EQ(*may_send_as(rules, c.login, c.sender), c.may) << c.login << " " << c.sender;
    rules.empty_key = "nobody";
    EXPECT_FALSE(*may_send_as(rules, "ann", ""));
    rules.maps = "regexp:/nonexistent";
    EXPECT_FALSE(may_send_as(rules, "ann", "ann").has_value());
    EXPECT_TRUE(SenderRules{}.everybody_may());
}

}  // namespace
}  // namespace postern::commands
