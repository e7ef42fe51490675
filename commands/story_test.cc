// Stories: which records belong together, what they mean, where the rule stands, and how it is
// written.
#include "commands/story.h"

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/strings.h"

#include "commands/rule_place.h"
#include "commands/story_text.h"

namespace postern::commands {
namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

constexpr const char *kA = "4cB3xYz1jZzzzz1", *kB = "4cB3xYz1jZzzzz2", *kC = "4cB3xYz1jZzzzz3";

log::Record record(std::string id, std::string program, std::string text, Fields fields = {},
                   int second = 0) {
    log::Record made;
    made.time = WallTime(Seconds(1'800'000'000 + second));
    made.program = cat({"postfix/", program});
    made.id = std::move(id);
    made.text = std::move(text);
    made.fields = std::move(fields);
    return made;
}

// --- What a record means

TEST(Explain, DeliveryLinesAreTakenApart) {
    const auto facts = parse_delivery(
        "to=<b@x>, orig_to=<a@x>, relay=mx.x[192.0.2.1]:25, delay=1.5, delays=0.1/0.2/0.3/0.9, "
        "dsn=4.4.1, "
        "status=deferred (host mx.x[192.0.2.1] said: 450 (no) (in reply to RCPT TO command))");
    ASSERT_TRUE(facts);
    EXPECT_EQ(facts->to, "b@x");
    EXPECT_EQ(facts->original, "a@x");
    EXPECT_EQ(facts->relay, "mx.x[192.0.2.1]:25");
    EXPECT_EQ(facts->delay, "1.5");
    EXPECT_EQ(facts->delays, "0.1/0.2/0.3/0.9");
    EXPECT_EQ(facts->dsn, "4.4.1");
    EXPECT_EQ(facts->status, "deferred");
    EXPECT_EQ(facts->text, "host mx.x[192.0.2.1] said: 450 (no) (in reply to RCPT TO command)");
    for (const auto* text : {"", "to=<", "to=<a>", "to=<a>, relay=x", "from=<a>, status=expired"})
        EXPECT_FALSE(parse_delivery(text)) << text;
    EXPECT_EQ(parse_delivery("to=<a>, status=sent")->text, "");
}

TEST(Explain, NamesWhatHappened) {
    const struct {
        std::string text;
        Happening what;
        std::string child, rule;
    } cases[] = {
        {"client=a[192.0.2.1]", Happening::received, "", ""},
        {"uid=1000 from=<u>", Happening::submitted, "", "authorized_submit_users"},
        {"placed on hold", Happening::other, "", "postsuper -h"},
        {"released from hold", Happening::other, "", "postsuper -H"},
        {cat({"requeued as ", kB}), Happening::other, kB, "postsuper -r"},
        {"to=<a@b>, relay=local, status=bounced (unknown user: \"a\")", Happening::bounced, "",
         "alias_maps and the users of this host"},
        {"to=<a@b>, relay=none, status=bounced (mail for b loops back to myself)",
         Happening::bounced, "", "inet_interfaces; proxy_interfaces; myhostname"},
        {"to=<a@b>, relay=r, status=deferred (SASL authentication failed; server r said: 535 no)",
         Happening::deferred, "", "the remote server, r"},
        {"to=<a@b>, relay=r, status=deferred (SASL authentication failed; cannot authenticate to "
         "server r: no mechanism available)",
         Happening::deferred, "", "smtp_sasl_password_maps"},
        {"to=<a@b>, relay=none, status=deferred (delivery temporarily suspended: connect to b)",
         Happening::deferred, "", "default_destination_concurrency_failed_cohort_limit"},
        {"message-id=<a@b>", Happening::identified, "", ""},
        {"from=<a@b>, size=1, nrcpt=1 (queue active)", Happening::queued, "", ""},
        {cat({"to=<a@b>, relay=r, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 Ok: "
              "queued as ",
              kB, ")"}),
         Happening::delivered, kB, ""},
        {cat({"to=<a@b>, relay=local, status=sent (forwarded as ", kB, ")"}), Happening::delivered,
         kB, ""},
        {"to=<a@b>, relay=r, status=bounced (host r said: 550 no)", Happening::bounced, "",
         "the remote server, r"},
        {"to=<a@b>, relay=none, status=deferred (deferred transport)", Happening::deferred, "",
         "defer_transports"},
        {"reject: RCPT from a: 552 5.3.4 Message size exceeds fixed limit; x", Happening::refused,
         "", "message_size_limit"},
        {cat({"sender non-delivery notification: ", kC}), Happening::notified, kC, ""},
        {cat({"postmaster non-delivery notification: ", kC}), Happening::notified, kC, ""},
        {"from=<a@b>, status=expired, returned to sender", Happening::other, "",
         "maximal_queue_lifetime"},
        {"rests in the hold queue", Happening::rests, "", ""},
        {"to=<l@b>: an alias of <x>", Happening::expanded, "", ""},
        {"address <l@b> became <x>", Happening::expanded, "", ""},
        {"removed", Happening::removed, "", ""},
        {"something else", Happening::other, "", ""},
        {"to=<a@b>, relay=r, status=sent (queued as not/an/id)", Happening::delivered, "", ""},
    };
    for (const auto& c : cases) {
        const Event event = explain(record(kA, "x", c.text));
        EXPECT_EQ(name_of(event.what), name_of(c.what)) << c.text;
        EXPECT_EQ(event.child, c.child) << c.text;
        EXPECT_EQ(event.rule, c.rule) << c.text;
    }
    EXPECT_EQ(explain(record(kA, "x", "rests in the deferred queue", {{"until", "5"}})).until,
              WallTime(Micros(5)));
    EXPECT_FALSE(explain(record(kA, "x", "rests in the deferred queue", {{"until", "x"}})).until);
    EXPECT_EQ(explain(record(kA, "x", "reject: too many hops", {{"rule", "mine"}})).rule, "mine");
    EXPECT_EQ(program_of(record(kA, "submission/smtpd", "")), "smtpd");
}

// --- Which records belong to the question

std::vector<std::string> answer(Question question, const std::vector<log::Record>& all) {
    Finder finder(std::move(question));
    for (const auto& one : all) finder.look(one);
    finder.close();
    std::vector<std::string> found;
    for (const auto& one : all) {
        if (finder.wants(one))
            found.push_back(cat({finder.story_of(one), "|", one.id, "|", one.text}));
    }
    return found;
}

// A message that comes by SMTP, is forwarded by its recipient, whose message bounces.
std::vector<log::Record> family() {
    return {record("session00001", "policy", "info: said policy"),
            record("NOQUEUE", "smtpd", "reject: RCPT from x: 550 no; from=<s@x> to=<other@x>",
                   {{"session", "session00001"}}),
            record(kA, "smtpd", "client=x", {{"session", "session00001"}}, 1),
            record(kA, "cleanup", "message-id=<m1@x>", {}, 1),
            record("4cB3xYz1jZzzzz9", "smtpd", "client=stranger", {{"session", "session00009"}}, 1),
            record("4cB3xYz1jZzzzz9", "qmgr", "from=<s@x>, size=1, nrcpt=1 (queue active)", {}, 1),
            record(kA, "local", cat({"to=<u@x>, relay=local, status=sent (forwarded as ", kB, ")"}),
                   {}, 2),
            record(kB, "cleanup", "message-id=<m1@x>", {}, 2),
            record(kB, "smtp", "to=<far@y>, relay=y, status=bounced (host y said: 550 no)", {}, 3),
            record(kB, "bounce", cat({"sender non-delivery notification: ", kC}), {}, 3),
            record(kC, "qmgr", "from=<>, size=1, nrcpt=1 (queue active)", {}, 4)};
}

TEST(Finder, AMessageBringsItsFamilyWhicheverIsAskedFor) {
    for (const std::string word : {kA, kB, kC, "<m1@x>", "u@x", "far@y", "FAR@Y"}) {
        const auto found = answer({{word}, {}}, family());
        ASSERT_EQ(found.size(), 8U) << word;
        for (const auto& one : found)
            EXPECT_TRUE(one.starts_with(cat({kA, "|"}))) << word << ": " << one;
        EXPECT_EQ(found[0], cat({kA, "|session00001|info: said policy"}));
        EXPECT_EQ(found[7], cat({kA, "|", kC, "|from=<>, size=1, nrcpt=1 (queue active)"}));
    }
}

TEST(Finder, ARefusalIsAStoryOfItsOwn) {
    const auto by_address = answer({{"other@x"}, {}}, family());
    EXPECT_THAT(by_address,
                testing::Contains(
                    "session00001|NOQUEUE|reject: RCPT from x: 550 no; from=<s@x> to=<other@x>"));
    const auto by_session = answer({{"session00001"}, {}}, family());
    EXPECT_THAT(by_session,
                testing::Contains(
                    "session00001|NOQUEUE|reject: RCPT from x: 550 no; from=<s@x> to=<other@x>"));
    // The sender's address finds what was refused to it, and its message, not the stranger's.
    const auto by_sender = answer({{"s@x"}, {}}, family());
    EXPECT_EQ(by_sender.size(), 4U);
}

TEST(Finder, AddressesAreWholeOnes) {
    EXPECT_TRUE(answer({{"r@y"}, {}}, family()).empty());
    EXPECT_TRUE(answer({{"far@yy"}, {}}, family()).empty());
    EXPECT_TRUE(answer({{"nobody@x"}, {}}, family()).empty());
}

TEST(Finder, SinceTakesWholeStories) {
    const WallTime late(Seconds(1'800'000'004));
    EXPECT_EQ(answer({{}, late}, family()).size(), 8U);
    EXPECT_TRUE(answer({{}, late + Seconds(1)}, family()).empty());
    EXPECT_EQ(answer({{}, WallTime{}}, family()).size(), family().size());
}

TEST(Finder, TheSameMessageIdIsTheSameMessageThroughAFilter) {
    const std::vector<log::Record> all = {
        record(kA, "cleanup", "message-id=<m@x>"),
        record(kA, "pipe", "to=<u@x>, relay=filter, status=sent (delivered via filter)"),
        record(kB, "pickup", "uid=5 from=<s@x>"), record(kB, "cleanup", "message-id=<m@x>"),
        record(kC, "cleanup", "message-id=<>")};
    const auto found = answer({{kB}, {}}, all);
    EXPECT_EQ(found.size(), 4U);
    for (const auto& one : found) EXPECT_TRUE(one.starts_with(cat({kA, "|"}))) << one;
}

TEST(Finder, ALoopOfIdsEnds) {
    const std::vector<log::Record> all = {
        record(kA, "smtp", cat({"to=<a@x>, relay=r, status=sent (queued as ", kB, ")"})),
        record(kB, "smtp", cat({"to=<a@x>, relay=r, status=sent (queued as ", kA, ")"})),
        record(kC, "smtp", cat({"to=<a@x>, relay=r, status=sent (queued as ", kC, ")"}))};
    EXPECT_EQ(answer({{kA}, {}}, all).size(), 2U);
    EXPECT_EQ(answer({{kC}, {}}, all).size(), 1U);
}

TEST(Finder, FollowsLive) {
    Finder finder({{"far@y"}, {}});
    std::size_t told = 0;
    for (const auto& one : family()) told += finder.follows(one);
    EXPECT_EQ(told, 3U) << "the record that names the address, and what comes behind";
}

// --- Where rules stand

class Places : public testing::Test {
  protected:
    Places() {
        files_["/etc/p/main.cf"] = {
            "# comment\n"
            "message_size_limit = 5000\n"
            "smtpd_recipient_restrictions = permit_mynetworks,\n"
            "  # between\n"
            "  reject_unlisted_recipient,\n"
            "  check_client_access hash:/etc/p/access\n"
            "virtual_alias_maps = hash:/etc/p/virtual\n",
            WallTime{}};
        files_["/etc/p/master.cf"] = {
            "smtp inet n - n - - smtpd\n"
            "submission inet n - n - - smtpd\n"
            "  -o syslog_name=x\n"
            "  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject\n",
            WallTime{}};
        files_["/etc/p/access"] = {"# who\n192.0.2.1 OK\n192.0.2.7\n  REJECT\nExample.com REJECT\n",
                                   WallTime{}};
        files_["/etc/p/aliases"] = {"root: bob\n\"odd name\": x\nstaff: a,\n  b\n", WallTime{}};
    }
    std::string place(std::string_view rule, std::string_view service = "smtp") {
        return places_.describe(rule, service, decided_);
    }

    std::map<std::string, SourceText> files_;
    WallTime decided_{Seconds(100)};
    config::Config config_ =
        *config::Config::parse("alias_maps = hash:/etc/p/other, hash:/etc/p/aliases\n");
    RulePlaces places_{config_, "/etc/p",
                       [this](const std::string& path) -> std::optional<SourceText> {
                           const auto at = files_.find(path);
                           return at == files_.end() ? std::nullopt : std::optional(at->second);
                       }};
};

TEST_F(Places, OfParameters) {
    EXPECT_EQ(place("message_size_limit"), "main.cf:2 message_size_limit");
    EXPECT_EQ(place("smtpd_recipient_restrictions permit_mynetworks"),
              "main.cf:3 smtpd_recipient_restrictions permit_mynetworks");
    EXPECT_EQ(place("smtpd_recipient_restrictions reject_unlisted_recipient"),
              "main.cf:5 smtpd_recipient_restrictions reject_unlisted_recipient")
        << "the line of the word, not of the list's beginning";
    EXPECT_EQ(place("smtpd_relay_restrictions reject_unauth_destination"),
              "default: smtpd_relay_restrictions reject_unauth_destination");
    EXPECT_EQ(place("smtpd_relay_restrictions permit_sasl_authenticated", "submission"),
              "master.cf:4 smtpd_relay_restrictions permit_sasl_authenticated");
    EXPECT_EQ(place("message_size_limit", "submission"), "main.cf:2 message_size_limit");
    EXPECT_EQ(place("the remote server, mx[1.2.3.4]:25"), "the remote server, mx[1.2.3.4]:25");
    EXPECT_EQ(place("/home/u/.forward"), "/home/u/.forward");
    EXPECT_EQ(place("message_size_limit; smtpd_x_y z"),
              "main.cf:2 message_size_limit; default: smtpd_x_y z");
}

TEST_F(Places, OfTableEntries) {
    const std::string check = "smtpd_recipient_restrictions check_client_access hash:/etc/p/access";
    EXPECT_EQ(place(check + " (hash:/etc/p/access, key 192.0.2.7)"),
              "main.cf:6 " + check + ", /etc/p/access:3 (key 192.0.2.7)");
    EXPECT_EQ(place(check + " (hash:/etc/p/access, key example.com)"),
              "main.cf:6 " + check + ", /etc/p/access:5 (key example.com)");
    EXPECT_EQ(place(check + " (hash:/etc/p/access, key gone.test)"),
              "main.cf:6 " + check + ", hash:/etc/p/access (key gone.test)");
    EXPECT_EQ(place("header_checks (regexp:/etc/p/hc line 12)"),
              "default: header_checks, /etc/p/hc:12");
    EXPECT_EQ(place("header_checks (pgsql:/etc/p/db, key a (b))"),
              "default: header_checks, pgsql:/etc/p/db (key a (b))");
    EXPECT_EQ(places_.line_of_key("alias_maps", {"staff@example.test", "staff"}, decided_),
              "/etc/p/aliases:3 (key staff)");
    EXPECT_EQ(places_.line_of_key("alias_maps", {"nobody"}, decided_), "");
}

TEST_F(Places, AreSaidToHaveChangedSince) {
    files_["/etc/p/main.cf"].changed = decided_ + Seconds(1);
    EXPECT_EQ(place("message_size_limit"), "main.cf:2 [changed since] message_size_limit");
}

// --- Written down

class Words : public Places {
  protected:
    Words() {
        ::setenv("TZ", "UTC", 1);
        ::tzset();
    }
    StoryView view(const std::vector<log::Record>& records,
                   std::map<std::string, Whereabouts> now) {
        StoryView story{kA, {}, std::move(now)};
        for (const auto& one : records) story.events.push_back(explain(one));
        return story;
    }
    StoryWriter writer_{places_, WallTime(Seconds(1'800'000'100))};
};

TEST_F(Words, TellALife) {
    const auto story = view(
        {record(kA, "smtpd", "client=a[192.0.2.1]",
                {{"rule", "smtpd_recipient_restrictions permit_mynetworks"},
                 {"protocol", "ESMTP"},
                 {"service", "smtp"}}),
         record(kA, "qmgr", "from=<s@x>, size=10, nrcpt=1 (queue active)", {}, 1),
         record(kA, "smtp",
                "to=<b@x>, relay=mx[192.0.2.9]:25, delay=2, delays=0.5/0.5/0/1, dsn=4.2.0, "
                "status=deferred (host mx[192.0.2.9] said: 450 later)",
                {}, 2),
         record(kA, "qmgr", "rests in the deferred queue", {{"until", "1800000400000000"}}, 2)},
        {{kA, {"deferred", WallTime(Seconds(1'800'000'400))}}});
    EXPECT_EQ(writer_.in_words(story),
              cat({"Message ", kA,
                   ", 2027-01-15 08:00:00\n"
                   "08:00:00.000   +0.000  smtpd     comes from a[192.0.2.1] by ESMTP\n"
                   "                                 rule: main.cf:3 smtpd_recipient_restrictions "
                   "permit_mynetworks\n"
                   "08:00:01.000   +1.000  qmgr      in the queue, its turn comes: from=<s@x>, "
                   "size=10, nrcpt=1 "
                   "(queue active)\n"
                   "08:00:02.000   +2.000  smtp      <b@x>: not now at mx[192.0.2.9]:25, 4.2.0: "
                   "host mx[192.0.2.9] "
                   "said: 450 later\n"
                   "                                 rule: the remote server, mx[192.0.2.9]:25\n"
                   "                                 2 s since it came: 0.5 s coming in, 0.5 s in "
                   "the queue, 0 s "
                   "connecting, 1 s transmitting\n"
                   "08:00:02.000   +2.000  qmgr      rests in the deferred queue until 08:06:40\n"
                   "now: deferred until 08:06:40 (in 5 min)\n"}));
}

TEST_F(Words, SayWhatComesNext) {
    const struct {
        Whereabouts where;
        std::string last, expected;
    } cases[] = {
        {{"hold", {}}, "rests in the hold queue", "now: held; goes on after \"postsuper -H\"\n"},
        {{"deferred", WallTime(Seconds(1))}, "x", "now: deferred; the next attempt is due\n"},
        {{"active", {}},
         "x",
         "now: in the active queue: delivery is under way or its turn comes\n"},
        {{"", {}}, "removed", "now: not in the queue any more: all is done\n"},
        {{"", {}}, "reject: no", "now: was never taken\n"},
        {{"", {}}, "x", "now: not in the queue any more\n"},
    };
    for (const auto& c : cases) {
        const std::string text =
            writer_.in_words(view({record(kA, "qmgr", c.last)}, {{kA, c.where}}));
        EXPECT_TRUE(text.ends_with(c.expected)) << text;
    }
    EXPECT_EQ(writer_.in_words(view({}, {})), "");
}

TEST_F(Words, AliasesNameTheirLine) {
    files_["/etc/p/main.cf"].changed = WallTime{};
    EXPECT_THAT(writer_.line(explain(record(kA, "local", "to=<staff@x>: an alias of <a>, <b>",
                                            {{"rule", "alias_maps"}})),
                             std::nullopt, false),
                testing::HasSubstr("/etc/p/aliases:3"));
}

TEST_F(Words, AsJson) {
    const auto story = view(
        {record(
            kA, "local",
            "to=<b@x>, relay=local, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (ok \"x\")")},
        {{kA, {"deferred", WallTime(Seconds(7))}}});
    EXPECT_EQ(writer_.as_json(story),
              cat({"{\"time_us\":1800000000000000,\"story\":\"", kA, "\",\"id\":\"", kA,
                   "\",\"program\":\"local\",\"pid\":0,\"event\":\"delivered\",\"text\":\"to=<b@x>,"
                   " relay=local, delay=1, "
                   "delays=0/0/0/1, dsn=2.0.0, status=sent (ok "
                   "\\\"x\\\")\",\"to\":\"b@x\",\"relay\":\"local\",\"delay\":\"1\","
                   "\"delays\":\"0/0/0/1\",\"dsn\":\"2.0.0\",\"status\":\"sent\",\"response\":\"ok "
                   "\\\"x\\\"\"}\n"
                   "{\"event\":\"now\",\"story\":\"",
                   kA, "\",\"id\":\"", kA,
                   "\",\"queue\":\"deferred\",\"text\":\"deferred; the next attempt is "
                   "due\",\"until_us\":7000000}\n"}));
}

TEST_F(Words, ControlCharactersCannotForgeLines) {
    const std::string text = writer_.line(
        explain(record(kA, "smtpd", "client=x\n08:00 forged\x1b[2J")), std::nullopt, true);
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
    EXPECT_EQ(text.find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace postern::commands
