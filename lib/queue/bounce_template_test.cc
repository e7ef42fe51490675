#include "lib/queue/bounce_template.h"

namespace postern::queue {
namespace {

TEST(BounceTemplate, ReplacesWhatAFileHas) {
    auto all = BounceTemplates::parse(
        "# ours\n"
        "\n"
        "failure_template = <<EOF\n"
        "charset: iso-8859-1\n"
        "FROM: Robot <robot@example.test>\n"
        "Subject: Zur\xfc"
        "ck\n"
        "EOF\n");
    ASSERT_FALSE(all) << "8-bit in a header";
    all = BounceTemplates::parse(
        "# ours\n"
        "\n"
        "failure_template = <<END_1\r\n"
        "charset: iso-8859-1\n"
        "FROM: Robot <robot@example.test>\n"
        "Subject: Returned\n"
        "\n"
        "Zur\xfc"
        "ck von $myhostname.\n"
        "  indented\n"
        "\n"
        "END_1\n"
        "verify_template=<<X\n"
        "Subject: Looked up\n"
        "\n"
        "text\n"
        "X");
    ASSERT_TRUE(all) << all.error().what;
    EXPECT_EQ(all->failure.charset, "iso-8859-1");
    EXPECT_EQ(all->failure.from, "Robot <robot@example.test>");
    EXPECT_EQ(all->failure.subject, "Returned");
    EXPECT_EQ(all->failure.postmaster_subject, "Postmaster Copy: Undelivered Mail") << "kept";
    EXPECT_EQ(all->failure.body,
              "Zur\xfc"
              "ck von $myhostname.\n  indented\n\n");
    EXPECT_EQ(all->verify.subject, "Looked up");
    EXPECT_EQ(all->verify.body, "text\n");
    EXPECT_EQ(all->delay.body, BounceTemplates::built_in().delay.body);
}

TEST(BounceTemplate, NamesWhatIsWrong) {
    const struct {
        std::string text, error;
    } cases[] = {
        {"failure_template = x\n", "line 1: \"name_template = <<EOF\" expected"},
        {"failure_template = <<\n", "line 1: \"name_template = <<EOF\" expected"},
        {"failure_template = <<a b\n", "line 1: \"name_template = <<EOF\" expected"},
        {"nonsense\n", "line 1: \"name_template = <<EOF\" expected"},
        {"\nother_template = <<EOF\n\nx\nEOF\n", "line 2: unknown template \"other_template\""},
        {"delay_template = <<EOF\nSubject: x\n\nno end\n", "line 4: \"EOF\" is missing"},
        {"delay_template = <<EOF\nReply-To: x\n\nx\nEOF\n",
         "line 2: unknown template header \"Reply-To\""},
        {"delay_template = <<EOF\nno header\nEOF\n",
         "line 2: \"Name: value\" or an empty line expected"},
        {"delay_template = <<EOF\nSubject:\n\nx\nEOF\n",
         "line 2: a header needs a value of printable ASCII characters"},
        {"delay_template = <<EOF\nSubject: x\n\nEOF\n", "line 4: template without a text"},
        {"delay_template = <<EOF\nSubject: x\n\n\xc3\xbc\nEOF\n",
         "line 5: 8-bit characters in a text whose Charset is us-ascii"},
    };
    for (const auto& c : cases) {
        const auto parsed = BounceTemplates::parse(c.text);
        ASSERT_FALSE(parsed) << c.text;
        EXPECT_EQ(parsed.error().what, c.error) << c.text;
    }
    EXPECT_TRUE(BounceTemplates::parse(""));
}

TEST(BounceTemplate, IsWrittenAsItIsRead) {
    const std::string built_in = BounceTemplates::built_in().text();
    EXPECT_THAT(built_in,
                testing::StartsWith("failure_template = <<EOF\nCharset: us-ascii\nFrom: "));
    EXPECT_EQ(BounceTemplates::parse(built_in)->text(), built_in);
    const auto changed = BounceTemplates::parse("delay_template = <<X\nSubject: s\n\nlate\nX\n");
    EXPECT_THAT(changed->text(), testing::HasSubstr("Subject: s\n"));
    EXPECT_EQ(BounceTemplates::parse(changed->text())->text(), changed->text());
}

TEST(BounceTemplate, Times) {
    const Micros delay = Seconds{4 * 3600}, lifetime = Seconds{5 * 86400};
    const struct {
        std::string in, out;
    } cases[] = {
        {"", ""},
        {"$delay_warning_time_hours hour(s)", "4 hour(s)"},
        {"${delay_warning_time_minutes}m", "240m"},
        {"$(maximal_queue_lifetime_days) $maximal_queue_lifetime_weeks", "5 0"},
        {"$maximal_queue_lifetime_seconds", "432000"},
        {"$maximal_queue_lifetime", "$maximal_queue_lifetime"},
        {"$delay_warning_time_years ${x $ $$myhostname ${mail_name?{a}:{b}} $",
         "$delay_warning_time_years ${x $ $$myhostname ${mail_name?{a}:{b}} $"},
        {"$$delay_warning_time_hours", "$$delay_warning_time_hours"},
        {"${delay_warning_time_hours", "${delay_warning_time_hours"},
    };
    for (const auto& c : cases) EXPECT_EQ(insert_times(c.in, delay, lifetime), c.out);
}

}  // namespace
}  // namespace postern::queue
