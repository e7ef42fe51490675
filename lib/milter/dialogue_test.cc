// The milter protocol by bytes: what we send, and what becomes of answers, right and wrong ones.
#include "lib/milter/dialogue.h"

#include "lib/base/strings.h"

namespace postern::milter {
namespace {

std::string number(std::uint32_t n) {
    return {static_cast<char>(n >> 24), static_cast<char>(n >> 16), static_cast<char>(n >> 8),
            static_cast<char>(n)};
}
std::string packet(std::string_view bytes) {
    return number(static_cast<std::uint32_t>(bytes.size())) + std::string(bytes);
}
std::string negotiation(std::uint32_t version, std::uint32_t actions, std::uint32_t flags,
                        std::string_view more = {}) {
    return packet(cat({"O", number(version), number(actions), number(flags), more}));
}
// The commands of what was sent, in order: "DCL".
std::string commands(std::string_view bytes) {
    std::string letters;
    while (bytes.size() >= 5) {
        std::size_t size = 0;
        for (int i = 0; i < 4; ++i)
            size = size << 8 | static_cast<unsigned char>(bytes[static_cast<std::size_t>(i)]);
        letters += bytes[4];
        bytes.remove_prefix(4 + size);
    }
    return letters;
}

constexpr std::string_view kMessage =
    "Received: by us\r\nFrom: a@b.test\r\nSubject: one\r\n\ttwo\r\nX-A: 1\r\nX-A: "
    "2\r\n\r\nline\r\n.dot\r\n";

struct Talk {
    explicit Talk(std::uint32_t actions = 0x1ff, std::uint32_t flags = 0, std::uint32_t version = 6,
                  std::string_view more = {}) {
        EXPECT_TRUE(dialogue.negotiate().answered);
        EXPECT_TRUE(answer(negotiation(version, actions, flags, more)));
    }
    Result<std::optional<Outcome>> answer(std::string_view bytes) {
        dialogue.feed(bytes);
        return dialogue.take(text, envelope, progress);
    }
    // Sends the whole text, answering "continue" to all but the last.
    std::string send_text() {
        std::string sent;
        dialogue.begin_text();
        for (;;) {
            const auto step = dialogue.text(text, {}, {});
            sent += commands(step.bytes);
            if (dialogue.text_done()) return sent;
            if (step.answered) {
                EXPECT_TRUE(answer(packet("c"))->has_value());
            }
        }
    }
    Text text{kMessage, true};
    std::vector<EnvelopeEdit> envelope;
    bool progress = false;
    Dialogue dialogue;
};

TEST(Dialogue, Negotiates) {
    Dialogue dialogue;
    EXPECT_EQ(dialogue.negotiate().bytes.substr(0, 9),
              packet("O0123456789ab").substr(0, 5) + number(6));
    const struct {
        std::string bytes;
        bool good;
    } cases[] = {
        {negotiation(6, 0x1ff, 0), true},
        {negotiation(2, 0x3f, 0x7f), true},
        {negotiation(6, 0, 0x30000000), true},  // sizes of chunks: the usual one is right
        {negotiation(7, 0, 0), false},          // what we do not speak
        {negotiation(1, 0, 0), false},
        {negotiation(6, 0x1000, 0), false},  // an action that was not offered
        {packet("O1234"), false},
        {packet("c"), false},
        {number(0), false},
        {number(0xffffffff), false},
    };
    for (const auto& c : cases) {
        Dialogue one;
        one.negotiate();
        one.feed(c.bytes);
        Text text;
        std::vector<EnvelopeEdit> envelope;
        bool progress = false;
        EXPECT_EQ(one.take(text, envelope, progress).has_value(), c.good);
    }
}

TEST(Dialogue, AMilterNamesItsMacros) {
    Talk talk(
        0x1ff, 0, 6,
        number(2) + std::string("{auth_authen} i\0", 16) + number(99) + std::string("x\0", 2));
    ASSERT_NE(talk.dialogue.wanted_macros(Stage::mail), nullptr);
    EXPECT_EQ(*talk.dialogue.wanted_macros(Stage::mail), "{auth_authen} i");
    EXPECT_EQ(talk.dialogue.wanted_macros(Stage::rcpt), nullptr);
}

TEST(Dialogue, SendsEvents) {
    Talk talk;
    auto& d = talk.dialogue;
    EXPECT_EQ(d.connect("mx.test", "192.0.2.1", 258, {{"j", "us.test"}}).bytes,
              packet(std::string("DCj\0us.test\0", 12)) + packet(std::string("Cmx.test\0"
                                                                             "4\1\2"
                                                                             "192.0.2.1\0",
                                                                             22)));
    EXPECT_NE(d.connect("mx.test", "2001:db8::1", 1, {}).bytes.find("6\0\1"), 0U);
    EXPECT_EQ(d.helo("me", {}).bytes, packet("DH") + packet(std::string("Hme\0", 4)));
    EXPECT_EQ(d.mail("a@b", {"SIZE=1"}, {}).bytes,
              packet("DM") + packet(std::string("M<a@b>\0SIZE=1\0", 14)));
    EXPECT_EQ(commands(d.rcpt("c@d", {}, {}).bytes), "DR");
    EXPECT_EQ(commands(d.data({}).bytes), "DT");
    EXPECT_EQ(commands(d.abort().bytes + d.quit().bytes), "AQ");
    // A NUL that a client smuggles in ends the value.
    EXPECT_EQ(d.helo(std::string_view("me\0{x}", 6), {}).bytes,
              packet("DH") + packet(std::string("Hme\0", 4)));
}

TEST(Dialogue, LeavesOutWhatIsNotWanted) {
    Talk none(0x1ff, 0x7f | 0x200);
    EXPECT_EQ(none.dialogue.connect("x", "192.0.2.1", 1, {}).bytes, "");
    EXPECT_EQ(none.dialogue.mail("x", {}, {}).bytes, "");
    EXPECT_EQ(none.dialogue.data({}).bytes, "");
    EXPECT_EQ(none.send_text(), "DE");
    Talk mute(0x1ff, 0x1000 | 0x80 | 0x80000 | 0x40000);
    EXPECT_FALSE(mute.dialogue.connect("x", "192.0.2.1", 1, {}).answered);
    EXPECT_TRUE(mute.dialogue.helo("x", {}).answered);
    EXPECT_EQ(mute.send_text(), "LLLLDNBDE");
    Talk old(0x3f, 0, 2);
    EXPECT_EQ(old.dialogue.data({}).bytes, "") << "version 2 has no DATA";
}

TEST(Dialogue, Outcomes) {
    using Kind = Outcome::Kind;
    const struct {
        std::string answer;
        Kind kind;
        int code;
        const char* text;
    } cases[] = {
        {packet("c"), Kind::proceed, 0, ""},
        {packet("a"), Kind::accept, 0, ""},
        {packet("d"), Kind::discard, 0, ""},
        {packet("r"), Kind::refuse, 550, "5.7.1 Command rejected"},
        {packet("t"), Kind::refuse, 451, "4.7.1 Service unavailable - try again later"},
        {packet("4"), Kind::refuse, 421, "4.7.0 Server closing connection"},
        {packet(std::string("y550 5.1.2 go away\0", 19)), Kind::refuse, 550, "5.1.2 go away"},
        {packet("y450 100%% full"), Kind::refuse, 450, "4.7.1 100% full"},
        {packet("y554-5.1.1 one\r\n554 two"), Kind::refuse, 554, "5.1.1 one two"},
        {packet("y550 5.1.1 a\tb\r\nRCPT"), Kind::refuse, 550, "5.1.1 a?b "},
    };
    for (const auto& c : cases) {
        Talk talk;
        talk.dialogue.helo("x", {});
        const auto outcome = talk.answer(c.answer);
        ASSERT_TRUE(outcome && outcome->has_value()) << c.answer;
        EXPECT_EQ((*outcome)->kind, c.kind) << c.answer;
        EXPECT_EQ((*outcome)->code, c.code);
        EXPECT_EQ(trim((*outcome)->text), trim(c.text));
    }
    for (const char* bad : {"y250 fine", "yx", "y", "Z", "s", "h"}) {
        Talk talk;
        talk.dialogue.helo("x", {});
        EXPECT_FALSE(talk.answer(packet(bad))) << bad;
    }
}

TEST(Dialogue, AnAnswerInPieces) {
    Talk talk;
    talk.dialogue.helo("x", {});
    const auto bytes = packet("p") + packet("r");
    for (std::size_t i = 0; i + 1 < bytes.size(); ++i) {
        const auto outcome = talk.answer(bytes.substr(i, 1));
        ASSERT_TRUE(outcome);
        EXPECT_FALSE(outcome->has_value()) << i;
    }
    EXPECT_TRUE(talk.progress);
    EXPECT_TRUE(talk.answer(bytes.substr(bytes.size() - 1))->has_value());
}

TEST(Dialogue, ChangesAtTheEnd) {
    Talk talk;
    EXPECT_EQ(talk.send_text(), "LLLLDNBDE") << "our own Received: is not shown";
    using namespace std::string_literals;
    const std::string edits =
        packet("hX-New\0v1\nv2\0"s) + packet("i"s + number(0) + "X-Top\0t\0"s) +
        packet("i"s + number(2) + "X-Two\0t\0"s) + packet("m"s + number(2) + "x-a\0changed\0"s) +
        packet("m"s + number(1) + "X-A\0\0"s) + packet("bnew\n"s) + packet("b.dot\r\nend"s) +
        packet("+<c@d.test>\0"s) + packet("2<e@f.test>\0NOTIFY=NEVER\0"s) + packet("-g@h.test\0"s) +
        packet("e<>\0"s) + packet("qodd\0"s);
    ASSERT_TRUE(talk.answer(edits));
    const auto outcome = talk.answer(packet("c"));
    ASSERT_TRUE(outcome && outcome->has_value());
    EXPECT_EQ(talk.text.str(),
              "X-Top: t\r\nReceived: by us\r\nX-Two: t\r\nFrom: a@b.test\r\nSubject: "
              "one\r\n\ttwo\r\nx-a: changed\r\n"
              "X-New: v1\r\n\tv2\r\n\r\nnew\r\n.dot\r\nend\r\n");
    EXPECT_TRUE(talk.text.has_dot_lines());
    std::string got;
    for (const auto& edit : talk.envelope)
        got += cat({std::to_string(static_cast<int>(edit.kind)), edit.text, " "});
    EXPECT_EQ(got, "0c@d.test 0e@f.test 1g@h.test 2 3odd ");
}

TEST(Dialogue, BadChanges) {
    using namespace std::string_literals;
    for (const auto& bad :
         {"hX\0"s, "hX Y\0v\0"s, "h\0v\0"s, "i\0\0\0"s, "m"s, "+\0"s, "+a\nb\0"s, "+a"s, "q"s}) {
        Talk talk;
        talk.send_text();
        EXPECT_FALSE(talk.answer(packet(bad))) << bad;
    }
    Talk quiet(0);  // has not said that it changes bodies
    quiet.send_text();
    EXPECT_FALSE(quiet.answer(packet("bx")));
}

TEST(Dialogue, SkipsTheRestOfTheBody) {
    Talk talk(0x1ff, 0x400);
    talk.text = Text("A: b\r\n\r\n" + std::string(300000, 'x'), false);
    talk.dialogue.begin_text();
    std::string sent;
    while (!talk.dialogue.text_done()) {
        const auto step = talk.dialogue.text(talk.text, {}, {});
        sent += commands(step.bytes);
        if (step.answered && !talk.dialogue.text_done()) {
            EXPECT_TRUE(talk.answer(packet(sent.ends_with("BB") ? "s" : "c"))->has_value());
        }
    }
    EXPECT_EQ(sent, "LDNBBDE");
}

TEST(Text, KeepsWhatItDoesNotUnderstand) {
    for (const char* message :
         {"\r\nbody\r\n", "no field\r\n\r\n", "A: b\r\n c\r\n\r\n", "A: b\r\n\r\n.\r\n"})
        EXPECT_EQ(Text(message, false).str(), message);
    Text text("A: 1\r\n\r\nx\r\n", false);
    EXPECT_TRUE(text.change(5, "A", "five"));
    EXPECT_TRUE(text.change(9, "Gone", ""));
    EXPECT_FALSE(text.add("bad name", "x"));
    EXPECT_TRUE(text.add("Odd", "a\r\r\n\nb\rc"));
    EXPECT_EQ(text.str(), "A: 1\r\nA: five\r\nOdd: a\r\n\tbc\r\n\r\nx\r\n");
    EXPECT_EQ(text.value(2), " a\n\tbc");
}

TEST(Text, FieldsThatGoInAreJudged) {
    Text text("A: 1\r\n\r\n", false);
    text.filter_fields([](std::string field) -> std::optional<std::string> {
        if (field.starts_with("Bad")) return std::nullopt;
        return field.starts_with("B:") ? "C: made\r\n" : field;
    });
    EXPECT_TRUE(text.add("Bad", "1"));
    EXPECT_TRUE(text.insert(0, "Bad", "2"));
    EXPECT_TRUE(text.add("B", "x"));
    EXPECT_TRUE(text.change(1, "A", "2"));
    EXPECT_EQ(text.str(), "A: 2\r\nC: made\r\n\r\n");
    text.filter_fields(
        [](const std::string&) -> std::optional<std::string> { return std::nullopt; });
    EXPECT_TRUE(text.change(1, "A", "3"));  // stays as it was
    EXPECT_TRUE(text.change(1, "C", ""));   // what goes is nobody's business
    EXPECT_EQ(text.str(), "A: 2\r\n\r\n");
}

}  // namespace
}  // namespace postern::milter
