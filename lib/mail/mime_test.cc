// MIME structure: offsets, line counts, nesting, limits, and trees of third-party messages.
#include <dirent.h>
#include <sys/stat.h>

#include <fstream>
#include <sstream>

#include "lib/mail/content_type.h"
#include "lib/mail/mime.h"
#include "lib/mail/transfer_encoding.h"

namespace postern::mail {
namespace {

TEST(ContentType, Parses) {
    const auto type = parse_content_type(
        " Text/Plain (really); charset=\"utf-8\"; name=a b.txt ; junk; Format = flowed "
        "(c);title*0=x");
    ASSERT_TRUE(type);
    EXPECT_TRUE(type->is("text", "PLAIN"));
    ASSERT_EQ(type->parameters.size(), 4u);
    EXPECT_EQ(*type->parameter("CHARSET"), "utf-8");
    EXPECT_EQ(*type->parameter("name"), "a b.txt");
    EXPECT_EQ(*type->parameter("format"), "flowed");
    EXPECT_EQ(type->parameters[3].name, "title*0");
    EXPECT_EQ(type->parameter("none"), nullptr);
    for (auto bad : {"", "text", "text/", "/plain", "; a=b"})
        EXPECT_FALSE(parse_content_type(bad)) << bad;
    EXPECT_EQ(*parse_content_type("a/b; c=\"x\\\"y\"")->parameter("c"), "x\"y");
    EXPECT_EQ(
        *parse_content_type("multipart/mixed; boundary=\"foo\r\n bar\"")->parameter("boundary"),
        "foo bar");
    EXPECT_EQ(parse_disposition("attachment; filename=x.pdf")->kind, "attachment");
    EXPECT_FALSE(parse_disposition(""));
    EXPECT_EQ(parse_word_list("en, de (x), fr"), (std::vector<std::string>{"en", "de", "fr"}));
    EXPECT_EQ(parse_first_word(" (c) base64 x"), "base64");
}

constexpr std::string_view kNested =
    "From: user@domain.org\r\n"
    "Content-Type: multipart/mixed; boundary=\"foo\r\n bar\"\r\n"
    "\r\n"
    "Root MIME prologue\r\n"
    "\r\n"
    "--foo bar\r\n"
    "Content-Type: text/x-myown; charset=us-ascii\r\n"
    "\r\n"
    "hello\r\n"
    "\r\n"
    "--foo bar\r\n"
    "Content-Type: message/rfc822\r\n"
    "\r\n"
    "From: sub@domain.org\r\n"
    "Content-Type: multipart/alternative; boundary=\"sub1\"\r\n"
    "\r\n"
    "Sub MIME prologue\r\n"
    "--sub1\r\n"
    "Content-Type: text/html\r\n"
    "\r\n"
    "<p>Hello world</p>\r\n"
    "\r\n"
    "--sub1\r\n"
    "Content-Type: text/plain\r\n"
    "\r\n"
    "Hello another world\r\n"
    "\r\n"
    "--sub1--\r\n"
    "Sub MIME epilogue\r\n"
    "\r\n"
    "--foo bar--\r\n"
    "Root MIME epilogue\r\n";

std::string body_of(std::string_view message, std::vector<std::uint32_t> path) {
    const MimePart root = parse_mime(message);
    const MimePart* part = find_part(root, path);
    return part == nullptr ? "(none)" : std::string(part->body(message));
}

// RFC 2231 3, 4
TEST(Mime, BoundariesInOtherForms) {
    const auto parts = [](const std::string& parameters) {
        const std::string text = "Content-Type: multipart/mixed; " + parameters +
                                 "\r\n\r\n--a b\r\n\r\nx\r\n--a b\r\n\r\ny\r\n--a b--\r\n";
        return parse_mime(text).children.size();
    };
    EXPECT_EQ(parts("boundary=\"a b\""), 2U);
    EXPECT_EQ(parts("boundary*=us-ascii''a%20b"), 2U);
    EXPECT_EQ(parts("boundary*0=a; boundary*1*=%20; boundary*2=b"), 2U);
    EXPECT_EQ(parts("boundary*0*=us-ascii'en'a%20; boundary*1=b"), 2U);
    EXPECT_EQ(parts("boundary*=a%2"), 0U);
    EXPECT_EQ(parts("boundary*1=b"), 0U);
}

// IMAP's part 1 of a multipart without parts is empty, as its BODYSTRUCTURE says.
TEST(Mime, ThePartOfAnEmptyMultipart) {
    EXPECT_EQ(body_of("Content-Type: multipart/mixed\r\n\r\ntext\r\n", {1}), "");
    EXPECT_EQ(body_of("Content-Type: multipart/mixed\r\n\r\ntext\r\n", {2}), "(none)");
    EXPECT_EQ(body_of("Content-Type: multipart/mixed\r\n\r\ntext\r\n", {1, 1}), "(none)");
    EXPECT_EQ(body_of("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: "
                      "multipart/mixed\r\n\r\ntext\r\n--b--\r\n",
                      {1, 1}),
              "");
}

TEST(Mime, NestedMessage) {
    const MimePart root = parse_mime(kNested);
    ASSERT_EQ(root.children.size(), 2u);
    EXPECT_EQ(root.body_end, kNested.size());
    EXPECT_EQ(root.body_lines, 29u);
    const MimePart& message = root.children[1];
    ASSERT_TRUE(message.is_message());
    EXPECT_EQ(message.body_lines, 16u);
    EXPECT_EQ(message.children[0].header_lines, 3u);
    EXPECT_EQ(message.children[0].body_lines, 13u);
    EXPECT_TRUE(message.body(kNested).ends_with("Sub MIME epilogue\r\n"));
    EXPECT_EQ(root.children[0].body_lines, 1u);
    EXPECT_EQ(body_of(kNested, {1}), "hello\r\n");
    EXPECT_EQ(body_of(kNested, {2, 1}), "<p>Hello world</p>\r\n");
    EXPECT_EQ(body_of(kNested, {2, 2}), "Hello another world\r\n");
    EXPECT_EQ(body_of(kNested, {2, 3}), "(none)");
    EXPECT_EQ(body_of(kNested, {1, 1}), "(none)");
    EXPECT_EQ(body_of(kNested, {3}), "(none)");
    EXPECT_EQ(body_of(kNested, {0}), "(none)");
}

TEST(Mime, PlainMessageHasPartOne) {
    EXPECT_EQ(body_of("A: b\r\n\r\ntext\r\n", {1}), "text\r\n");
    EXPECT_EQ(body_of("A: b\r\n\r\ntext\r\n", {1, 1}), "(none)");
    EXPECT_EQ(body_of("A: b\r\n\r\ntext\r\n", {2}), "(none)");
    const MimePart part = parse_mime("A: b\r\n\r\none\r\ntwo");
    EXPECT_EQ(part.body_lines, 1u);
    EXPECT_TRUE(part.type.is("text", "plain"));
    EXPECT_EQ(*part.type.parameter("charset"), "us-ascii");
}

TEST(Mime, MessageInMessage) {
    const std::string_view text = "Content-Type: message/rfc822\n\nSubject: in\n\ninner\n";
    EXPECT_EQ(body_of(text, {1}), "Subject: in\n\ninner\n");
    EXPECT_EQ(body_of(text, {1, 1}), "inner\n");
    EXPECT_EQ(body_of(text, {1, 1, 1}), "(none)");
}

TEST(Mime, OddBoundaries) {
    struct Case {
        const char* name;
        std::string text;
        std::vector<std::string> bodies;
    };
    const std::string head = "Content-Type: multipart/mixed; boundary=b\n\n";
    const Case cases[] = {
        {"never closed", head + "--b\n\none\n--b\n\ntwo\n", {"one", "two\n"}},
        {"empty parts", head + "--b\n--b\n\n--b--\n", {"", ""}},
        {"header only", head + "--b\nX: y\n--b--\n", {""}},
        {"no boundary at all", head + "text\n", {}},
        {"text after it", head + "--b x\n\none\n--b-- y\n", {"one"}},
        {"without blanks of it", head + "--b\n\n-- b\n --b\n--b--\n", {"-- b\n --b"}},
        {"blanks after it", head + "--b \t\n\nx\n--b-- \n", {"x"}},
        {"nothing", head, {}},
        {"closed at once", head + "--b--\n", {}},
    };
    for (const auto& c : cases) {
        const MimePart root = parse_mime(c.text);
        std::vector<std::string> bodies;
        for (const auto& part : root.children) bodies.emplace_back(part.body(c.text));
        EXPECT_EQ(bodies, c.bodies) << c.name;
    }
}

TEST(Mime, InnerMultipartEndsWithTheOuterOne) {
    const std::string text =
        "Content-Type: multipart/mixed; boundary=out\n\n--out\nContent-Type: multipart/mixed; "
        "boundary=in\n\n"
        "--in\n\nx\n--out\n\ny\n--out--\n";
    EXPECT_EQ(body_of(text, {1, 1}), "x");
    EXPECT_EQ(body_of(text, {2}), "y");
}

TEST(Mime, TheLongestBoundaryIsMeant) {
    const std::string text =
        "Content-Type: multipart/mixed; boundary=bbb\n\n--bbb\nContent-Type: multipart/mixed; "
        "boundary=b\n\n"
        "--b\n\nx\n--bbb\n\ny\n--bbb--\n";
    EXPECT_EQ(body_of(text, {1, 1}), "x");
    EXPECT_EQ(body_of(text, {2}), "y");
}

TEST(Mime, AnEmptyInnerPartLiesWithinItsParent) {
    const std::string text =
        "Content-Type: multipart/mixed; boundary=out\n\n--out\nContent-Type: multipart/mixed; "
        "boundary=in\n\n"
        "--in\n--out--\n";
    const MimePart root = parse_mime(text);
    const MimePart& inner = root.children.at(0);
    EXPECT_GE(inner.body_end, inner.children.at(0).body_end);
}

TEST(Mime, DigestDefaultsToMessages) {
    const std::string text =
        "Content-Type: multipart/digest; boundary=d\n\n--d\n\nSubject: a\n\nbody a\n--d--\n";
    const MimePart root = parse_mime(text);
    ASSERT_EQ(root.children.size(), 1u);
    EXPECT_TRUE(root.children[0].is_message());
    EXPECT_EQ(body_of(text, {1, 1}), "body a");
}

TEST(Mime, ReadsTheOtherFields) {
    const MimePart part = parse_mime(
        "Content-Type: application/pdf; name=\"a.pdf\"\r\nContent-Transfer-Encoding: BASE64\r\n"
        "Content-ID: <x@y>\r\nContent-Description: some\r\n thing\r\nContent-MD5: abc\r\n"
        "Content-Disposition: attachment; filename=a.pdf\r\nContent-Language: "
        "en\r\nContent-Location: http://x\r\n\r\n");
    EXPECT_EQ(part.encoding, "BASE64");
    EXPECT_EQ(part.id, "<x@y>");
    EXPECT_EQ(part.description, "some thing");
    EXPECT_EQ(part.md5, "abc");
    EXPECT_EQ(part.disposition->kind, "attachment");
    EXPECT_EQ(part.languages, std::vector<std::string>{"en"});
    EXPECT_EQ(part.location, "http://x");
}

TEST(Mime, LimitsDepth) {
    std::string text;
    for (int i = 0; i < 1000; ++i) text += "Content-Type: message/rfc822\r\n\r\n";
    int depth = 0;
    const MimePart root = parse_mime(text);
    for (const MimePart* part = &root; !part->children.empty(); part = &part->children[0]) ++depth;
    EXPECT_EQ(depth, kMaxMimeDepth);
}

TEST(Mime, LimitsParts) {
    std::string text = "Content-Type: multipart/mixed; boundary=b\n\n";
    for (std::size_t i = 0; i < kMaxMimeParts + 100; ++i) text += "--b\n\n";
    EXPECT_EQ(parse_mime(text).children.size(), kMaxMimeParts - 1);
}

std::string suites() {
    const char* folder = std::getenv("POSTERN_SUITES");
    return folder != nullptr ? folder : "../shared/suites";
}

std::vector<std::string> files_of(const std::string& folder) {
    std::vector<std::string> files;
    if (DIR* dir = opendir(folder.c_str())) {
        while (const dirent* entry = readdir(dir)) {
            struct stat info {};
            const std::string path = folder + "/" + entry->d_name;
            if (stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode)) files.push_back(path);
        }
        closedir(dir);
    }
    return files;
}

// Children lie within their parent, in order, and none overlaps another.
void expect_sane(const MimePart& part, std::size_t size, const std::string& name) {
    ASSERT_LE(part.header_begin, part.body_begin) << name;
    ASSERT_LE(part.body_begin, part.body_end) << name;
    ASSERT_LE(part.body_end, size) << name;
    std::size_t at = part.body_begin;
    for (const auto& child : part.children) {
        ASSERT_GE(child.header_begin, at) << name;
        ASSERT_LE(child.body_end, part.body_end) << name;
        at = child.body_end;
        expect_sane(child, size, name);
    }
}

TEST(MimeSuites, EveryMessageHasASaneTree) {
    std::size_t count = 0;
    for (auto folder : {"/mime-cpython", "/mime-mime4j/testmsgs", "/mime-mimekit/messages",
                        "/mime-mail-parser/rfc"}) {
        for (const auto& path : files_of(suites() + folder)) {
            std::ifstream in(path, std::ios::binary);
            std::stringstream text;
            text << in.rdbuf();
            for (const auto& message : {text.str(), to_wire_form(text.str())}) {
                const MimePart root = parse_mime(message);
                expect_sane(root, message.size(), path);
                ++count;
            }
        }
    }
    if (count == 0)
        GTEST_SKIP() << "no third-party messages in " << suites() << " (set POSTERN_SUITES)";
}

}  // namespace
}  // namespace postern::mail
