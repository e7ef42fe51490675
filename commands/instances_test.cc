// Several instances: which ones are meant, in which order, and what editing makes of the files.
#include "commands/instances.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "lib/base/strings.h"
#include "lib/queue/writer.h"
#include "tests/support/temp_folder.h"

#include "commands/instance_edit.h"

namespace postern::commands {
namespace {

MailInstance made(std::string directory, std::string name, std::string group, bool enabled) {
    return {std::move(directory), std::move(name), std::move(group), enabled, {}};
}

const std::vector<MailInstance>& three() {
    static const std::vector<MailInstance> all{made("/etc/p", "", "", true),
                                               made("/etc/p-in", "postfix-in", "mta", true),
                                               made("/etc/p-out", "postfix-out", "mta", false)};
    return all;
}

std::string chosen(const InstanceSelection& selection) {
    const auto found = selected(three(), selection);
    if (!found) return found.error().what;
    std::string text;
    for (const auto& one : *found) text += one.directory + " ";
    return text;
}

TEST(Instances, AreSelected) {
    EXPECT_EQ(chosen({}), "/etc/p /etc/p-in /etc/p-out ");
    EXPECT_EQ(chosen({.group = "mta", .name = {}}), "/etc/p-in /etc/p-out ");
    EXPECT_EQ(chosen({.group = {}, .name = "-"}), "/etc/p ");
    EXPECT_EQ(chosen({.group = {}, .name = "postfix-out"}), "/etc/p-out ");
    EXPECT_EQ(chosen({.group = {}, .name = "/etc/p-in"}), "/etc/p-in ");
    EXPECT_EQ(chosen({.group = "msa", .name = {}}), "no instance fits -g or -i");
    EXPECT_EQ(chosen({.group = {}, .name = "postfix-x"}), "no instance fits -g or -i");
}

TEST(Instances, AreListedAsPostfixDoes) {
    EXPECT_EQ(listed(three()[0]), "-               -               y         /etc/p\n");
    EXPECT_EQ(listed(three()[2]), "postfix-out     mta             n         /etc/p-out\n");
}

TEST(Instances, EachCommandHasItsOrder) {
    const CommandKinds kinds{{"start"}, {"stop", "abort"}, {"reload", "flush"}};
    const auto order = [&](std::string_view command) {
        std::string text;
        for (const Errand& one : errands(three(), command, kinds))
            text += cat({one.instance->directory, ":", one.command, " "});
        return text;
    };
    EXPECT_EQ(order("start"), "/etc/p:start /etc/p-in:start /etc/p-out:check ");
    EXPECT_EQ(order("stop"), "/etc/p-in:stop /etc/p:stop ");
    EXPECT_EQ(order("reload"), "/etc/p:reload /etc/p-in:reload ");
    EXPECT_EQ(order("status"), "/etc/p:status /etc/p-in:status /etc/p-out:status ");
}

class InstanceEdits : public testing::Test {
  protected:
    void SetUp() override {
        write("p/main.cf",
              cat({"# mine\nqueue_directory = ", folder_.path(), "/q/p\n",
                   "data_directory = ", folder_.path(), "/d/p\ncommand_directory = /c\n"}));
        write("p/master.cf", "smtp inet n - n - - smtpd\n");
    }

    void write(const std::string& name, std::string_view text) {
        const std::string path = folder_ / name;
        std::filesystem::create_directories(std::filesystem::path(path).parent_path());
        std::ofstream(path) << text;
    }

    std::string read(const std::string& name) {
        std::stringstream text;
        text << std::ifstream(folder_ / name).rdbuf();
        return text.str();
    }

    // Empty, or the error.
    std::string edit(InstanceEdit wanted) {
        const auto primary = config::Config::load(folder_ / "p");
        if (!primary) return primary.error().what;
        const auto folders = [](const config::Config& config) -> Result<void> {
            for (const char* name : {"deferred", "hold", "pid"})
                std::filesystem::create_directories(
                    cat({config.get(param::queue_directory), "/", name}));
            return {};
        };
        const auto done = edit_instance(*primary, wanted, folders);
        return done ? "" : done.error().what;
    }

    std::string value(const std::string& directory, std::string_view name) {
        const auto config = config::Config::load(folder_ / directory);
        return config ? config->text(name) : config.error().what;
    }

    support::TempFolder folder_;
};

TEST_F(InstanceEdits, NothingBeforeInit) {
    EXPECT_EQ(edit({.action = "create", .name = "postfix-a"}),
              "multi_instance_wrapper is empty, run 'postmulti -e init' first.");
    EXPECT_EQ(edit({.action = "init"}), "");
    EXPECT_EQ(value("p", "multi_instance_wrapper"), "/c/postmulti -p --");
    EXPECT_EQ(value("p", "multi_instance_enable"), "yes");
    EXPECT_EQ(read("p/main.cf").substr(0, 7), "# mine\n") << "comments stay";
}

TEST_F(InstanceEdits, OneLife) {
    ASSERT_EQ(edit({.action = "init"}), "");
    ASSERT_EQ(edit({.action = "create", .name = "postfix-a", .group = "g"}), "");
    const std::string own = folder_ / "postfix-a";
    EXPECT_EQ(value("p", "multi_instance_directories"), own);
    EXPECT_EQ(value("postfix-a", "queue_directory"), folder_ / "q/postfix-a");
    EXPECT_EQ(value("postfix-a", "data_directory"), folder_ / "d/postfix-a");
    EXPECT_EQ(value("postfix-a", "multi_instance_name"), "postfix-a");
    EXPECT_EQ(value("postfix-a", "multi_instance_group"), "g");
    EXPECT_EQ(value("postfix-a", "multi_instance_enable"), "no");
    EXPECT_EQ(value("postfix-a", "master_service_disable"), "inet");
    EXPECT_EQ(value("postfix-a", "authorized_submit_users"), "");
    EXPECT_EQ(value("postfix-a", "command_directory"), "/c");
    EXPECT_EQ(value("postfix-a", "syslog_name"), "postfix-a");
    EXPECT_TRUE(std::filesystem::is_directory(folder_ / "q/postfix-a/deferred"));

    EXPECT_EQ(edit({.action = "enable", .existing = "postfix-a"}), "");
    EXPECT_EQ(value("postfix-a", "multi_instance_enable"), "yes");
    EXPECT_EQ(edit({.action = "destroy", .existing = "postfix-a"}),
              cat({"instance ", own, " is enabled: disable it first"}));
    EXPECT_EQ(
        edit({.action = "assign", .existing = "postfix-a", .name = "postfix-b", .group = "-"}), "");
    EXPECT_EQ(value("postfix-a", "multi_instance_name"), "postfix-b");
    EXPECT_EQ(value("postfix-a", "multi_instance_group"), "");
    EXPECT_EQ(edit({.action = "disable", .existing = "postfix-b"}), "");

    write("q/postfix-a/hold/0123", "mail");
    EXPECT_EQ(edit({.action = "destroy", .existing = own}),
              cat({"the queue ", folder_ / "q/postfix-a", " has mail"}));
    std::filesystem::remove(folder_ / "q/postfix-a/hold/0123");
    // A file to be written over is no mail, unless a power cut left the next message in it.
    queue::BatchBuilder file;
    queue::Envelope envelope;
    envelope.id = QueueId::parse("4INSTANCE1").value();
    file.add(envelope, "text\r\n");
    const std::string text = std::move(file).finish_reusable();
    write("q/postfix-a/incoming/4INSTANCE0.done", text);
    EXPECT_EQ(edit({.action = "destroy", .existing = own}),
              cat({"the queue ", folder_ / "q/postfix-a", " has mail"}));
    std::filesystem::rename(folder_ / "q/postfix-a/incoming/4INSTANCE0.done",
                            folder_ / "q/postfix-a/incoming/4INSTANCE1.done");
    EXPECT_EQ(edit({.action = "deport", .existing = own}), "");
    EXPECT_EQ(value("p", "multi_instance_directories"), "");
    EXPECT_EQ(edit({.action = "import", .name = "postfix-a"}), "");
    EXPECT_EQ(edit({.action = "destroy", .existing = "postfix-a"}), "");
    for (const char* gone : {"postfix-a", "q/postfix-a", "d/postfix-a"})
        EXPECT_FALSE(std::filesystem::exists(folder_ / gone)) << gone;
    EXPECT_EQ(value("p", "multi_instance_directories"), "");
}

TEST_F(InstanceEdits, NewOnesFindTheirPlace) {
    ASSERT_EQ(edit({.action = "init"}), "");
    ASSERT_EQ(edit({.action = "create", .name = "postfix-a", .group = "g"}), "");
    ASSERT_EQ(edit({.action = "create", .name = "postfix-b"}), "");
    ASSERT_EQ(edit({.action = "create", .before_group = "g", .name = "postfix-c"}), "");
    ASSERT_EQ(edit({.action = "create", .existing = "postfix-b", .name = "postfix-d"}), "");
    ASSERT_EQ(edit({.action = "create", .first = true, .name = "postfix-e"}), "");
    std::vector<std::string> names;
    for (const auto& one : *load_instances(*config::Config::load(folder_ / "p")))
        names.push_back(one.name);
    EXPECT_EQ(join(names, " "), " postfix-e postfix-c postfix-a postfix-d postfix-b");
}

TEST_F(InstanceEdits, Mistakes) {
    ASSERT_EQ(edit({.action = "init"}), "");
    ASSERT_EQ(edit({.action = "create", .name = "postfix-a"}), "");
    const struct {
        InstanceEdit wanted;
        std::string error;
    } cases[] = {
        {{.action = "make"},
         "unknown action make; there are init, create, import, destroy, deport, enable, disable "
         "and "
         "assign"},
        {{.action = "create", .name = "other"},
         "an instance's name begins with \"postfix-\": other"},
        {{.action = "create", .name = "postfix-../x"}, "bad character in the name postfix-../x"},
        {{.action = "create", .name = "postfix-a"},
         cat({folder_ / "postfix-a", ": an instance already"})},
        {{.action = "create"}, "without a name (-I) it needs config_directory=/path"},
        {{.action = "create", .name = "postfix-b", .assignments = {"queue_directory=here"}},
         "queue_directory: here: must be an absolute path"},
        {{.action = "create", .name = "postfix-b", .assignments = {"mynetworks=all"}},
         "\"mynetworks=all\": only config_directory=, queue_directory= and data_directory="},
        {{.action = "import", .name = "postfix-b"},
         cat({folder_ / "postfix-b", " has no main.cf"})},
        {{.action = "create", .before_group = "none", .name = "postfix-b"},
         "no instance is in the group none"},
        {{.action = "enable"}, "-e enable needs -i name"},
        {{.action = "enable", .existing = "postfix-x"}, "no instance is called postfix-x"},
        {{.action = "assign", .existing = "postfix-a"}, "-e assign needs -I name or -G group"},
        {{.action = "disable", .existing = "-"}, "the primary instance cannot be disabled"},
        {{.action = "destroy", .existing = "-"}, "the primary instance: -e destroy is for others"},
        {{.action = "deport", .existing = "-"}, "the primary instance: -e deport is for others"},
        {{.action = "enable", .existing = "postfix-a", .assignments = {"x=y"}},
         "-e enable takes no name=value"},
    };
    const std::string before = read("p/main.cf");
    for (const auto& c : cases) EXPECT_EQ(edit(c.wanted), c.error);
    EXPECT_EQ(read("p/main.cf"), before);
    EXPECT_FALSE(std::filesystem::exists(folder_ / "postfix-b"));
}

}  // namespace
}  // namespace postern::commands
