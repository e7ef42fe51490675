#include "lib/mail/verp.h"

namespace postern::mail {
namespace {

TEST(Verp, SendersThatNameTheRecipient) {
    const struct {
        std::string sender, delimiters, recipient, made;
    } cases[] = {
        {"list@a.test", "+=", "user@b.test", "list+user=b.test@a.test"},
        {"list@a.test", "-+", "u+x@b.test", "list-u+x+b.test@a.test"},
        {"list@a.test", "+=", "user", "list+user@a.test"},
        {"list@a.test", "+=", "\"two words\"@b.test", "\"list+two words=b.test\"@a.test"},
        {"\"my list\"@a.test", "+=", "u@b.test", "\"my list+u=b.test\"@a.test"},
        {"list@a.test", "+=", "odd@name@b.test", "\"list+odd@name=b.test\"@a.test"},
        {"list", "+=", "user@b.test", "list"},
        {"", "+=", "user@b.test", ""},
        {"list@a.test", "", "user@b.test", "list@a.test"},
        {"list@a.test", "+", "user@b.test", "list@a.test"},
    };
    for (const auto& c : cases) EXPECT_EQ(verp_sender(c.sender, c.delimiters, c.recipient), c.made);
}

}  // namespace
}  // namespace postern::mail
