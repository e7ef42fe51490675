#include "lib/queue/command_verdict.h"

#include <csignal>

namespace postern::queue {
namespace {

std::string shown(const Verdict& verdict) {
    const char* kind = verdict.accepted() ? "sent" : verdict.deferred() ? "deferred" : "bounced";
    return std::string(kind) + " " + verdict.status + " " + verdict.text;
}

TEST(CommandVerdict, FollowsPostfix) {
    const struct {
        sys::CommandResult result;
        std::string expected;
    } cases[] = {
        {{false, 0, 0, ""}, "sent 2.0.0 delivered to command: prog x"},
        {{false, 0, 0, "fine\n"}, "sent 2.0.0 delivered to command: prog x (fine)"},
        {{false, 75, 0, ""}, "deferred 4.3.0 temporary failure"},
        {{false, 75, 0, "quota is\nfull\n"},
         "deferred 4.3.0 temporary failure. Command output: quota is full"},
        {{false, 71, 0, ""}, "deferred 4.3.0 system resource problem"},
        {{false, 67, 0, ""}, "bounced 5.1.1 user unknown"},
        {{false, 77, 0, ""}, "bounced 5.7.0 permission denied"},
        {{false, 73, 0, ""}, "bounced 5.2.0 can't create user output file"},
        {{false, 1, 0, "no\x01!"},
         "bounced 5.3.0 Command died with status 1: \"prog x\". Command output: no?!"},
        {{false, 127, 0, ""}, "bounced 5.3.0 Command died with status 127: \"prog x\""},
        {{false, 1, 0, "4.2.2 Mailbox full"}, "deferred 4.2.2 Mailbox full"},
        {{false, 75, 0, "5.7.1 Not wanted\n"}, "bounced 5.7.1 Not wanted"},
        {{false, 75, 0, "2.0.0 strange"},
         "deferred 4.3.0 temporary failure. Command output: 2.0.0 strange"},
        {{false, 1, 0, "5.x.1 No"},
         "bounced 5.3.0 Command died with status 1: \"prog x\". Command output: 5.x.1 No"},
        {{false, 1, 0, "5.7.1"}, "bounced 5.7.1 command failed"},
        {{false, 0, SIGKILL, ""}, "deferred 4.3.0 Command died with signal 9: \"prog x\""},
        {{true, 0, 0, "slow"},
         "bounced 5.3.0 Command time limit exceeded: \"prog x\". Command output: slow"},
    };
    for (const auto& c : cases) {
        EXPECT_EQ(shown(command_verdict(c.result, "prog x", "delivered to command: prog x")),
                  c.expected);
    }
    EXPECT_EQ(shown(command_verdict(Error{Errc::temporary, "fork: no"}, "prog x", "")),
              "deferred 4.3.0 unable to run command: fork: no");
}

}  // namespace
}  // namespace postern::queue
