#include "commands/postmap.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "lib/log/log.h"

namespace postern::commands {
namespace {

class Postmap : public testing::Test {
  protected:
    Postmap() {
        std::string pattern = "/tmp/postern-postmap-XXXXXX";
        root_ = mkdtemp(pattern.data());
        log::open_capture();
    }
    ~Postmap() override { std::filesystem::remove_all(root_); }

    std::string write(std::string_view name, std::string_view text) {
        const std::string path = root_ + "/" + std::string(name);
        std::ofstream(path) << text;
        return path;
    }
    // "STATUS OUTPUT", or "fatal: TEXT".
    std::string run(std::vector<std::string> words, std::string input = "") {
        words.insert(words.begin() + 1, {"-c", root_});
        std::vector<char*> argv;
        for (auto& word : words) argv.push_back(word.data());
        argv.push_back(nullptr);
        auto options = parse_map_options(static_cast<int>(words.size()), argv.data());
        if (!options) return "fatal: " + options.error().what;
        std::FILE* in = std::tmpfile();
        std::fwrite(input.data(), 1, input.size(), in);
        std::rewind(in);
        char* text = nullptr;
        std::size_t size = 0;
        std::FILE* out = open_memstream(&text, &size);
        const auto status = run_map(*options, in, out);
        std::fclose(in);
        std::fclose(out);
        const std::string shown(text, size);
        std::free(text);
        return status ? std::to_string(*status) + " " + shown : "fatal: " + status.error().what;
    }

    std::string root_;
};

// As Postfix 3.7 does it.
TEST_F(Postmap, Utf8) {
    const auto path = write("map",
                            "\xc3\x9c@x.test upper\nstra\xc3\x9f"
                            "e s\nl\xfc lat\nval l\xfc\n");
    write("main.cf", "smtputf8_enable = yes\n");
    EXPECT_EQ(run({"postmap", path}), "0 ");
    EXPECT_EQ(log::take_captured(),
              "warning " + path + ", line 3: non-UTF-8 input \"l? lat\" -- ignoring this line\n" +
                  "warning " + path +
                  ", line 4: non-UTF-8 input \"val l?\" -- ignoring this line\n");
    EXPECT_EQ(run({"postmap", "-q", "\xc3\xbc@X.test", path}), "0 upper\n");
    EXPECT_EQ(run({"postmap", "-q", "STRASSE", path}), "0 s\n");
    EXPECT_EQ(run({"postmap", "-d", "\xc3\x9c@X.test", path}), "0 ");
    EXPECT_EQ(run({"postmap", "-q", "\xc3\xbc@X.test", path}), "1 ");
    EXPECT_EQ(run({"postmap", "-u", path}), "0 ");
    EXPECT_EQ(log::take_captured(), "");
    EXPECT_EQ(run({"postmap", "-q", "\xc3\x9c@X.test", path}), "0 upper\n");
    EXPECT_EQ(run({"postmap", "-q", "VAL", path}), "0 l\xfc\n");
    write("main.cf", "smtputf8_enable = no\n");
    EXPECT_EQ(run({"postmap", "-U", path}), "0 ");
    EXPECT_THAT(log::take_captured(), testing::HasSubstr("non-UTF-8 input"));
}

TEST_F(Postmap, BuildsAndQueries) {
    const auto path = write("virtual", "# c\nInfo@x.test  u1\n  u2\nb\tB value\nbad\n");
    EXPECT_EQ(run({"postmap", path}), "0 ");
    EXPECT_EQ(log::take_captured(),
              "warning " + path +
                  ", line 5: expected format: key whitespace value -- ignoring this line\n");
    EXPECT_EQ(run({"postmap", "-q", "info@x.test", "hash:" + path}), "0 u1  u2\n");
    EXPECT_EQ(run({"postmap", "-q", "INFO@x.test", path}), "0 u1  u2\n");
    EXPECT_EQ(run({"postmap", "-q", "none", path}), "1 ");
    EXPECT_EQ(run({"postmap", "-q", "-", path}, "b\nnone\ninfo@x.test\n"),
              "0 b\tB value\ninfo@x.test\tu1  u2\n");
    EXPECT_EQ(run({"postmap", "-q", "-", path}, "none\n"), "1 ");
    EXPECT_EQ(run({"postmap", "-q", "b", "inline:{a=1}", path}), "0 B value\n");
    EXPECT_EQ(run({"postmap", "btree:" + path}), "0 ");
    EXPECT_EQ(run({"postmap", "-s", "btree:" + path}), "0 b\tB value\ninfo@x.test\tu1  u2\n");
}

TEST_F(Postmap, AddsAndRemoves) {
    const auto path = write("m", "a 1\nb 2\n");
    run({"postmap", path});
    EXPECT_EQ(run({"postmap", "-i", path}, "c 3\na 9\n"), "0 ");
    EXPECT_NE(log::take_captured().find(path + ".db: duplicate entry: \"a\""), std::string::npos);
    EXPECT_EQ(run({"postmap", "-q", "a", path}), "0 1\n");
    EXPECT_EQ(run({"postmap", "-i", "-r", path}, "a 9\n"), "0 ");
    EXPECT_EQ(run({"postmap", "-q", "a", path}), "0 9\n");
    EXPECT_EQ(run({"postmap", "-i", "-w", path}, "a 8\n"), "0 ");
    EXPECT_EQ(log::take_captured(), "");
    EXPECT_EQ(run({"postmap", "-d", "A", path}), "0 ");
    EXPECT_EQ(run({"postmap", "-d", "a", path}), "1 ");
    EXPECT_EQ(run({"postmap", "-d", "-", path}, "b\nzzz\n"), "0 ");
    EXPECT_EQ(run({"postmap", "-q", "-", path}, "a\nb\nc\n"), "0 c\t3\n");
}

TEST_F(Postmap, KeepsCasesAndPermissionsAsTold) {
    const auto path = write("m", "Abc 1\n");
    chmod(path.c_str(), 0600);
    run({"postmap", "-f", path});
    EXPECT_EQ(run({"postmap", "-f", "-q", "Abc", path}), "0 1\n");
    EXPECT_EQ(run({"postmap", "-q", "Abc", path}), "1 ");
    struct stat st {};
    stat((path + ".db").c_str(), &st);
    EXPECT_EQ(st.st_mode & 0777, 0600u);
    run({"postmap", "-p", path});
    stat((path + ".db").c_str(), &st);
    EXPECT_EQ(st.st_mode & 0777, 0644u);
    for (const auto* nulls : {"-n", "-N"}) {
        EXPECT_EQ(run({"postmap", nulls, path}), "0 ");
        EXPECT_EQ(run({"postmap", "-q", "abc", path}), "0 1\n");
    }
    const auto content = write("content", "file text");
    const auto files = write("files", "k " + content + "\n");
    EXPECT_EQ(run({"postmap", "-F", files}), "0 ");
    EXPECT_EQ(run({"postmap", "-F", "-q", "k", files}), "0 file text\n");
    EXPECT_EQ(run({"postmap", "-q", "k", files}), "0 ZmlsZSB0ZXh0\n");
}

TEST_F(Postmap, SaysWhatIsWrong) {
    EXPECT_EQ(run({"postmap"}),
              "fatal: usage: postmap [-NbfFhimnoprsuUvw] [-c config_dir] [-d key] [-q key] "
              "[map_type:]file...");
    EXPECT_EQ(run({"postalias"}),
              "fatal: usage: postalias [-Nfinoprsuvw] [-c config_dir] [-d key] [-q key] "
              "[map_type:]file...");
    EXPECT_EQ(run({"postmap", "nosuch:x"}), "fatal: unsupported dictionary type: nosuch");
    EXPECT_EQ(run({"postmap", "-q", "x", "nosuch:x"}),
              "fatal: unsupported dictionary type: nosuch");
    EXPECT_EQ(run({"postmap", "regexp:x"}),
              "fatal: unsupported map type for this operation: regexp");
    EXPECT_EQ(run({"postmap", "hash:/nonexistent/x"}),
              "fatal: open /nonexistent/x: No such file or directory");
    EXPECT_EQ(run({"postmap", "-q", "a", "hash:/nonexistent/x"}),
              "fatal: open database /nonexistent/x.db: No such file or directory");
    EXPECT_TRUE(run({"postmap", "-d", "a", "hash:/nonexistent/x"}).starts_with("fatal: open "));
    EXPECT_EQ(run({"postmap", "-q", "a", "-d", "b", "hash:x"}),
              "fatal: specify only one of -q or -d");
    EXPECT_EQ(run({"postmap", "-s", "static:x"}), "fatal: this type of table cannot be listed");
}

TEST_F(Postmap, BuildsAliases) {
    const auto path =
        write("aliases", "Postmaster: root\nroot: u1,\n  u2\n\"a b\": c\nbad line\nx@y: z\n");
    EXPECT_EQ(run({"postalias", path}), "0 ");
    const std::string warnings = log::take_captured();
    EXPECT_NE(warnings.find(path + ", line 5: need name:value pair"), std::string::npos);
    EXPECT_NE(warnings.find(path + ", line 6: name must be local"), std::string::npos);
    EXPECT_EQ(run({"postalias", "-q", "POSTMASTER", path}), "0 root\n");
    EXPECT_EQ(run({"postalias", "-q", "root", path}), "0 u1,  u2\n");
    EXPECT_EQ(run({"postalias", "-q", "a b", path}), "0 c\n");
    EXPECT_EQ(run({"postalias", "-q", "@", path}), "0 @\n");
    const auto map = write("m", "key: value\n");
    run({"postmap", map});
    EXPECT_NE(log::take_captured().find("is this an alias file?"), std::string::npos);
}

// As Postfix's postmap has it: what separates header and text is a line of the text.
TEST_F(Postmap, TakesKeysFromAMessage) {
    const std::string message =
        "Subject: one\n two\nContent-Type: multipart/mixed; boundary=B\n\npre\n--B\n"
        "X-A: b\n\ntext\n--B\nContent-Type: message/rfc822\n\nSubject: in\n\ninner\n--B--\nepi\n";
    const auto path = write("re", "/^(.*)/ got\n");
    const auto keys = [&](const char* option) {
        std::string found = run({"postmap", option, "-q", "-", "regexp:" + path}, message);
        for (std::size_t at; (at = found.find("\tgot")) != found.npos;) found.erase(at, 4);
        return found;
    };
    const std::string top = "Subject: one\n two\nContent-Type: multipart/mixed; boundary=B\n";
    EXPECT_EQ(keys("-h"), "0 " + top);
    EXPECT_EQ(keys("-b"), "0 " + message.substr(top.size()));
    EXPECT_EQ(keys("-hb"), "0 " + message);
    EXPECT_EQ(keys("-hm"), "0 " + top + "X-A: b\nContent-Type: message/rfc822\nSubject: in\n");
    EXPECT_EQ(keys("-bm"), "0 \npre\n--B\n\ntext\n--B\n\n\ninner\n--B--\nepi\n");
    EXPECT_EQ(keys("-hbm"), "0 " + message);
    const std::string map = "regexp:" + path;
    EXPECT_EQ(run({"postmap", "-b", "-q", "-", map}, "no header\nat all"),
              "0 no header\tgot\nat all\tgot\n");
    EXPECT_EQ(run({"postmap", "-h", "-q", "-", map}, ""), "1 ");
}

TEST_F(Postmap, MessageOptionsNeedAMessage) {
    const auto path = write("re", "/^(.*)/ got\n");
    for (const char* option : {"-h", "-b", "-m", "-hm"})
        EXPECT_EQ(run({"postmap", option, "-q", "x", "regexp:" + path}),
                  "fatal: specify -b -h or -m only with \"-q -\"");
    EXPECT_EQ(run({"postmap", "-m", "-q", "-", "regexp:" + path}, "a\n"), "0 a\tgot\n");
    EXPECT_EQ(run({"postmap", "-q", "-", "regexp:" + path}, "a \n\n b\n"),
              "0 a \tgot\n\tgot\n b\tgot\n");
    EXPECT_EQ(log::take_captured(), "warning ignoring -m option without -b or -h\n");
}

}  // namespace
}  // namespace postern::commands
