#include "local/forward_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "lib/log/log.h"

#include "tests/support/temp_folder.h"

namespace postern::local {
namespace {

const OwnNames kOwn{"u1", "u1+x", {"here.test", "mail.here.test"}, "here.test"};

std::string shown(const std::vector<Destination>& destinations) {
    constexpr const char* kKinds[] = {"self", "to", "run", "file"};
    std::string out;
    for (const auto& one : destinations) {
        out += (out.empty() ? "" : "; ") + std::string(kKinds[static_cast<int>(one.kind)]);
        if (!one.text.empty()) out += " " + one.text;
        if (one.origin == Origin::include) out += " (include)";
    }
    return out;
}

TEST(ForwardText, SaysWhatToDo) {
    const struct {
        std::string text, expected;
    } cases[] = {
        {"", ""},
        {"# nothing\n\n", ""},
        {"a@far.test\n", "to a@far.test"},
        {"a@far.test, b@far.test\nc@far.test", "to a@far.test; to b@far.test; to c@far.test"},
        {"\\u1, copy@far.test\n", "self; to copy@far.test"},
        {"u1\n", "self"},
        {"U1@Here.Test\n", "self"},
        {"u1+x@mail.here.test\n", "self"},
        {"u1@elsewhere.test\n", "to u1@elsewhere.test"},
        {"\\u1@elsewhere.test\n", "to u1@elsewhere.test"},
        {"\\other\n", "to other"},
        {"\"|/usr/bin/procmail -a 'x, y'\"\n", "run /usr/bin/procmail -a 'x, y'"},
        {"|/usr/bin/procmail\n", "run /usr/bin/procmail"},
        {"\"|IFS=' ' && exec /usr/bin/procmail -f- || exit 75 #u1\"\n",
         "run IFS=' ' && exec /usr/bin/procmail -f- || exit 75 #u1"},
        {"/home/u1/box\n/home/u1/Mail/\n", "file /home/u1/box; file /home/u1/Mail/"},
        {"Joe <joe@far.test> (comment)\n", "to joe@far.test"},
        {"\\\n", ""},
    };
    for (const auto& c : cases) {
        EXPECT_EQ(shown(parse_forward(c.text, kOwn, Origin::forward).destinations), c.expected)
            << c.text;
    }
    const auto included =
        parse_forward(":include:/a/list\n\":include: /b/list\"", kOwn, Origin::forward);
    EXPECT_EQ(included.includes, (std::vector<std::string>{"/a/list", "/b/list"}));
    const OwnNames elsewhere{"u1", "u1", {"here.test"}, "corp.test"};
    EXPECT_EQ(shown(parse_forward("u1, \\u1", elsewhere, Origin::forward).destinations),
              "to u1; self");
}

class ForwardFile : public testing::Test {
  protected:
    ForwardFile() { log::open_capture(); }
    std::string file(const std::string& name, const std::string& text, mode_t mode = 0644) {
        const std::string path = folder_.path() + "/" + name;
        std::ofstream(path) << text;
        chmod(path.c_str(), mode);
        return path;
    }
    std::string read(const std::string& path) {
        auto found = read_forward(sys::RealFs::instance(), path, kOwn);
        return found ? shown(*found) : "error";
    }
    std::string logged() { return log::take_captured(); }
    support::TempFolder folder_;
};

TEST_F(ForwardFile, IsTheFirstThatExists) {
    const auto second = file(".forward", "x");
    auto& fs = sys::RealFs::instance();
    EXPECT_EQ(existing_forward(fs, {folder_.path() + "/.forward+x", second}), second);
    EXPECT_EQ(existing_forward(fs, {folder_.path() + "/none", folder_.path() + "/no/where"}),
              std::nullopt);
    EXPECT_EQ(existing_forward(fs, {second + "/below", second}), second);
    EXPECT_EQ(existing_forward(fs, {}), std::nullopt);
}

TEST_F(ForwardFile, IsReadWithItsIncludes) {
    const auto list = file("list", "b@far.test, \"|prog\"\na@far.test\n");
    EXPECT_EQ(read(file(".forward", "a@far.test\n:include:" + list + "\na@far.test\n")),
              "to a@far.test; to b@far.test (include); run prog (include)");
    EXPECT_EQ(read(file("self", ":include:" + folder_.path() + "/self\n")), "error");
    EXPECT_EQ(read(file("broken", ":include:/nonexistent/list\n")), "error");
    EXPECT_EQ(read(file("large", std::string(300'000, 'x'))), "error");
    std::string many;
    for (int i = 0; i < 1100; ++i) many += "a" + std::to_string(i) + "@far.test\n";
    EXPECT_EQ(read(file("many", many)), "error");
    EXPECT_EQ(read(file("empty", "")), "");
    EXPECT_EQ(read(folder_.path() + "/missing"), "");
}

TEST_F(ForwardFile, IsNotTrustedWhenOthersMayWriteIt) {
    EXPECT_EQ(read(file("open", "a@far.test\n", 0666)), "");
    EXPECT_NE(logged().find("/open is world writable: ignored"), std::string::npos);
    mkdir((folder_.path() + "/dir").c_str(), 0755);
    EXPECT_EQ(read(folder_.path() + "/dir"), "");
    EXPECT_NE(logged().find("/dir is not a regular file"), std::string::npos);
    const auto target = file("target", "a@far.test\n");
    ASSERT_EQ(symlink(target.c_str(), (folder_.path() + "/link").c_str()), 0);
    EXPECT_EQ(read(folder_.path() + "/link"), "");
    mkdir((folder_.path() + "/shared").c_str(), 0755);
    const auto shared = file("shared/.forward", "a@far.test\n");
    EXPECT_EQ(read(shared), "to a@far.test");
    chmod((folder_.path() + "/shared").c_str(), 0777);
    EXPECT_EQ(read(shared), "");
    if (geteuid() != 0) return;
    ASSERT_EQ(chown(target.c_str(), 54321, 54321), 0);
    EXPECT_EQ(read(target), "");
    EXPECT_NE(logged().find("has bad owner uid 54321"), std::string::npos);
}

}  // namespace
}  // namespace postern::local
