#include "commands/postern_logrotate.h"

#include <filesystem>
#include <fstream>

#include "tests/support/temp_folder.h"

namespace postern::commands {
namespace {

class Logrotate : public testing::Test {
  protected:
    void write(const std::string& name, const std::string& text) {
        std::ofstream(folder + "/" + name) << text;
    }
    std::vector<std::string> names() {
        std::vector<std::string> found;
        for (const auto& entry : std::filesystem::directory_iterator(folder))
            found.push_back(entry.path().filename());
        std::sort(found.begin(), found.end());
        return found;
    }
    support::TempFolder temp;
    const std::string folder = temp.path();
    const std::string log = folder + "/maillog";
};

TEST_F(Logrotate, RenamesAndCompressesTheOneBefore) {
    setenv("TZ", "UTC", 1);
    tzset();
    write("maillog", "one\n");
    write("maillog.other", "not ours\n");
    auto target = rotate_file(log, "%Y%m%d-%H%M%S", "gzip", 86400);
    ASSERT_TRUE(target) << target.error().what;
    EXPECT_EQ(*target, log + ".19700102-000000");
    write("maillog", "two\n");
    ASSERT_TRUE(rotate_file(log, "%Y%m%d-%H%M%S", "gzip", 2 * 86400));
    EXPECT_EQ(names(), (std::vector<std::string>{"maillog.19700102-000000.gz",
                                                 "maillog.19700103-000000", "maillog.other"}));
}

TEST_F(Logrotate, Failures) {
    write("maillog", "one\n");
    EXPECT_FALSE(rotate_file(log, "", "", 0));
    EXPECT_FALSE(rotate_file(log, "a/b", "", 0));
    EXPECT_FALSE(rotate_file(folder + "/none", "x", "", 0));
    write("maillog.x", "");
    EXPECT_FALSE(rotate_file(log, "x", "", 0));
    EXPECT_EQ(names(), (std::vector<std::string>{"maillog", "maillog.x"}));
    auto failed = rotate_file(log, "y", "/nonexistent/compressor", 0);
    ASSERT_FALSE(failed);
    EXPECT_THAT(failed.error().what, testing::HasSubstr("/nonexistent/compressor"));
    EXPECT_TRUE(std::filesystem::exists(folder + "/maillog.y"));
}

}  // namespace
}  // namespace postern::commands
