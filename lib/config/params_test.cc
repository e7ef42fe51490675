// The rows as a whole: what they claim about programs. (tests/system/t_20_postconf.py compares them
// with Postfix's.)
#include "lib/config/params.h"

#include "lib/base/strings.h"

namespace postern::config {
namespace {

// A row that says "honoured" is read by some program, one that says "not yet" by none. The list of
// readers comes from the sources (tools/param-readers), so no row can claim it falsely.
TEST(Params, StandingIsTrue) {
    for (const Row& row : rows()) {
        if (row.standing == Standing::honoured) {
            EXPECT_NE(readers(row), "") << row.name << ": no program reads it: make it NOT_YET, or "
                                        << "ACCEPTED with the reason why it is not needed";
        }
        if (row.standing == Standing::not_yet) {
            EXPECT_TRUE(readers(row).empty() || readers(row) == "$name")
                << row.name << ": " << readers(row) << " read it: make it PARAM";
        }
    }
}

TEST(Params, Readers) {
    EXPECT_EQ(readers(*find_row("smtpd_timeout")), "smtpd");
    EXPECT_EQ(readers(*find_row("max_use")), "all");
    EXPECT_EQ(readers(*find_row("stress")), "$name");
    EXPECT_EQ(readers(*find_row("postscreen_greet_wait")), "postscreen");
}

TEST(Params, EveryRowIsDocumented) {
    for (const Row& row : rows()) {
        std::string_view text = trim(row.documentation);
        EXPECT_GE(text.size(), 8u) << row.name;
        EXPECT_TRUE(text.ends_with('.')) << row.name << ": ends without a full stop";
    }
}

}  // namespace
}  // namespace postern::config
