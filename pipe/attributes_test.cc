#include "pipe/attributes.h"

#include "lib/base/strings.h"

namespace postern::pipe {
namespace {

std::vector<std::string> words(std::string_view text) {
    std::vector<std::string> out;
    for (const auto word : split_words(text)) out.emplace_back(word);
    return out;
}

TEST(Attributes, AreThoseOfMasterCf) {
    const auto a = parse_attributes(
        words("-v -o syslog_name=x flags=DRXhuFOBq.> user=vmail:mail directory=/var/mail "
              "chroot=/jail size=1000 "
              "null_sender= eol=\\r\\n argv=/usr/bin/maildrop -d ${recipient} user=not-ours"));
    ASSERT_TRUE(a) << a.error().what;
    const auto& f = a->flags;
    EXPECT_TRUE(f.blank_line && f.delivered && f.from_line && f.original && f.return_path &&
                f.final && f.fold_host && f.quote && f.fold_user && f.stuff_dots && f.quote_from);
    EXPECT_EQ(a->user, "vmail");
    EXPECT_EQ(a->group, "mail");
    EXPECT_EQ(a->directory, "/var/mail");
    EXPECT_EQ(a->chroot, "/jail");
    EXPECT_EQ(a->size, 1000u);
    EXPECT_EQ(a->null_sender, "");
    EXPECT_EQ(a->eol, "\r\n");
    EXPECT_EQ(a->argv, words("/usr/bin/maildrop -d ${recipient} user=not-ours"));
}

TEST(Attributes, HaveDefaults) {
    const auto a = parse_attributes(words("user=u argv=/bin/cat"));
    ASSERT_TRUE(a);
    EXPECT_EQ(a->null_sender, "MAILER-DAEMON");
    EXPECT_EQ(a->eol, "\n");
    EXPECT_EQ(a->size, 0u);
    EXPECT_FALSE(a->flags.delivered || a->flags.from_line);
}

TEST(Attributes, UnderstandEscapes) {
    for (const auto& [text, expected] :
         std::vector<std::pair<std::string, std::string>>{{"\\n", "\n"},
                                                          {"\\015\\012", "\r\n"},
                                                          {"\\\\x", "\\x"},
                                                          {"a\\", "a\\"},
                                                          {"\\t\\v\\0001",
                                                           "\t\v\0"
                                                           "1"}}) {
        const auto a = parse_attributes({"user=u", "eol=" + text, "argv=x"});
        ASSERT_TRUE(a);
        const std::string wanted = text == "\\t\\v\\0001" ? std::string(
                                                                "\t\v\0"
                                                                "1",
                                                                4)
                                                          : expected;
        EXPECT_EQ(a->eol, wanted) << text;
    }
}

TEST(Attributes, TellWhatIsWrong) {
    const struct {
        std::string text, expected;
    } cases[] = {
        {"argv=x", "missing user= attribute"},
        {"user=u", "missing argv= attribute"},
        {"user=u argv=", "missing argv= attribute"},
        {"user=: argv=x", "user=:: need name or name:group"},
        {"user=u flags=Dz argv=x", "flags=Dz: unknown flag \"z\""},
        {"user=u size=big argv=x", "size=big: need a number"},
        {"user=u chroot=jail argv=x", "chroot=jail: need an absolute path"},
        {"user=u colour=red argv=x", "unknown attribute: colour=red"},
        {"user=u what argv=x", "unknown attribute: what"},
    };
    for (const auto& c : cases) {
        const auto a = parse_attributes(words(c.text));
        ASSERT_FALSE(a) << c.text;
        EXPECT_EQ(a.error().what, c.expected);
    }
}

}  // namespace
}  // namespace postern::pipe
