#include "local/mbox_file.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <thread>

#include "local/mailbox_text.h"

#include "tests/support/faulty_fs.h"
#include "tests/support/temp_folder.h"

namespace postern::local {
namespace {

MboxRules quick() {
    MboxRules rules;
    rules.lock_attempts = 2;
    rules.lock_delay = Millis{1};
    return rules;
}

AppendText text(std::string bytes) {
    return [bytes = std::move(bytes)](const auto& write) { return write(bytes); };
}

std::string contents(const std::string& path) {
    std::ifstream in(path);
    std::stringstream out;
    out << in.rdbuf();
    return out.str();
}

// Runs `hold` in another process, which keeps what it locked until the returned Fd is closed.
class Holder {
  public:
    explicit Holder(const std::function<void()>& hold) {
        int ready[2], stop[2];
        EXPECT_EQ(pipe(ready), 0);
        EXPECT_EQ(pipe(stop), 0);
        pid_ = fork();
        char byte = 0;
        if (pid_ == 0) {
            hold();
            close(stop[1]);
            (void)!write(ready[1], "x", 1);
            (void)!read(stop[0], &byte, 1);
            _exit(0);
        }
        EXPECT_EQ(read(ready[0], &byte, 1), 1);
        for (const int fd : {ready[0], ready[1], stop[0]}) close(fd);
        stop_ = stop[1];
    }
    ~Holder() { end(); }
    void end() {
        if (pid_ <= 0) return;
        close(stop_);
        waitpid(pid_, nullptr, 0);
        pid_ = 0;
    }

  private:
    pid_t pid_;
    int stop_ = -1;
};

class MboxFile : public testing::Test {
  protected:
    Result<void> append(const std::string& bytes, const MboxRules& rules) {
        return append_to_mbox(sys::RealFs::instance(), box_, rules, text(bytes));
    }
    support::TempFolder folder_;
    const std::string box_ = folder_ / "box";
};

TEST_F(MboxFile, IsMadeAndAppendedTo) {
    ASSERT_TRUE(append("one\n", quick()));
    ASSERT_TRUE(append("two\n", quick()));
    EXPECT_EQ(contents(box_), "one\n\ntwo\n");
    struct stat st {};
    ASSERT_EQ(stat(box_.c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 07777, 0600u);
    EXPECT_FALSE(std::filesystem::exists(box_ + ".lock"));
}

TEST_F(MboxFile, WaitsForEachKindOfLock) {
    ASSERT_TRUE(append("one\n", quick()));
    MboxRules none = quick(), fcntl_only = quick(), flock_only = quick(), dotlock_only = quick();
    none.fcntl = none.dotlock = fcntl_only.dotlock = flock_only.fcntl = flock_only.dotlock =
        dotlock_only.fcntl = false;
    flock_only.flock = true;
    const auto refused = [&](const MboxRules& rules) {
        const auto done = append("x\n", rules);
        return !done && done.error().code == Errc::timeout;
    };
    {
        Holder holder([&] {
            struct flock whole {};
            whole.l_type = F_WRLCK;
            fcntl(open(box_.c_str(), O_RDWR), F_SETLK, &whole);
        });
        EXPECT_TRUE(refused(fcntl_only));
        EXPECT_TRUE(append("two\n", dotlock_only));
        // Who has that one wants the other next: it is not kept while we wait.
        std::thread waiting([&] {
            MboxRules both = quick();
            both.lock_attempts = 100'000;
            EXPECT_TRUE(append("both\n", both));
        });
        const std::string name = box_ + ".lock";
        while (!std::filesystem::exists(name)) sched_yield();
        for (;;) {
            const int fd = open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0600);
            if (fd >= 0) {
                close(fd);
                break;
            }
            sched_yield();
        }
        unlink(name.c_str());
        holder.end();
        waiting.join();
    }
    {
        Holder holder([&] { flock(open(box_.c_str(), O_RDWR), LOCK_EX); });
        EXPECT_TRUE(refused(flock_only));
        EXPECT_TRUE(append("three\n", fcntl_only));
    }
    std::ofstream(box_ + ".lock") << "";
    EXPECT_TRUE(refused(dotlock_only));
    EXPECT_TRUE(append("four\n", none));
    // A lock that was forgotten.
    dotlock_only.stale_lock = Seconds{500};
    const timespec old[2] = {{1000, 0}, {1000, 0}};
    ASSERT_EQ(utimensat(AT_FDCWD, (box_ + ".lock").c_str(), old, 0), 0);
    EXPECT_TRUE(append("five\n", dotlock_only));
    EXPECT_EQ(contents(box_), "one\n\ntwo\n\nboth\n\nthree\n\nfour\n\nfive\n");
    EXPECT_FALSE(std::filesystem::exists(box_ + ".lock"));
}

// As a crash amid an append left it, or another program.
TEST_F(MboxFile, BeginsAMessageBehindAnEmptyLine) {
    const std::pair<std::string, std::string> cases[] = {
        {"", ""},
        {"\n", ""},
        {"\r\n", ""},
        {"x", "\n\n"},
        {"x\n", "\n"},
        {"x\r\n", "\n"},
        {"From a\nSubj", "\n\n"},
        {"x\n\n", ""},
        {"x\r\n\r\n", ""},
        {"x\n\r\n", ""},
    };
    for (const auto& [before, added] : cases) {
        std::ofstream(box_, std::ios::trunc) << before;
        ASSERT_TRUE(append("From b\n", quick()));
        EXPECT_EQ(contents(box_), before + added + "From b\n");
    }
    if (geteuid() == 0) return;  // who may read anything
    chmod(box_.c_str(), 0200);
    EXPECT_TRUE(append("y", quick()));
}

TEST_F(MboxFile, KeepsItsLimit) {
    auto rules = quick();
    rules.size_limit = 10;
    ASSERT_TRUE(append("12345678\n", rules));
    const auto over = append("12\n", rules);
    ASSERT_FALSE(over);
    EXPECT_EQ(mailbox_failure(over.error(), "", false).status, "5.2.2");
    EXPECT_EQ(contents(box_), "12345678\n");
}

TEST_F(MboxFile, RefusesWhatIsNoMailbox) {
    const auto outside = folder_ / "outside";
    std::ofstream(outside) << "x";
    ASSERT_EQ(symlink(outside.c_str(), box_.c_str()), 0);
    EXPECT_FALSE(append("y", quick()));
    unlink(box_.c_str());
    ASSERT_EQ(link(outside.c_str(), box_.c_str()), 0);
    EXPECT_FALSE(append("y", quick()));
    unlink(box_.c_str());
    mkdir(box_.c_str(), 0755);
    EXPECT_FALSE(append("y", quick()));
    rmdir(box_.c_str());
    std::ofstream(box_) << "";
    auto rules = quick();
    rules.refuse_executable = true;
    chmod(box_.c_str(), 0755);
    EXPECT_FALSE(append("y", rules));
    chmod(box_.c_str(), 0600);
    EXPECT_TRUE(append("y", rules));
    rules.must_be_ours = true;
    EXPECT_TRUE(append("y", rules));
    if (geteuid() == 0) {
        ASSERT_EQ(chown(box_.c_str(), 54321, 54321), 0);
        EXPECT_FALSE(append("y", rules));
    }
    EXPECT_EQ(contents(outside), "x");
    EXPECT_TRUE(append_to_mbox(sys::RealFs::instance(), "/dev/null", quick(), text("y")));
    EXPECT_FALSE(append_to_mbox(sys::RealFs::instance(), folder_ / "no/where", quick(), text("y")));
}

// Whatever fails, the mailbox has either all of the message or none of it.
TEST_F(MboxFile, HasItsOldLengthAfterAnyFailure) {
    ASSERT_TRUE(append("old\n", quick()));
    for (int n = 1;; ++n) {
        support::FaultyFs fs(folder_.path(), n);
        const auto done = append_to_mbox(fs, "box", quick(), text("new\n"));
        if (!fs.fired()) {
            EXPECT_TRUE(done);
            break;
        }
        if (done) {  // the lock file that could not be removed
            EXPECT_EQ(contents(box_), "old\n\nnew\n");
            unlink((box_ + ".lock").c_str());
            ASSERT_EQ(truncate(box_.c_str(), 4), 0);
        }
        ASSERT_EQ(contents(box_), "old\n") << n;
        ASSERT_LT(n, 30);
    }
}

TEST_F(MboxFile, HoldsAMessageInMboxForm) {
    const auto queue = folder_ / "queue";
    const std::string message = "Subject: x\r\n\r\nFrom here\r\n>From there\r\nend";
    std::ofstream(queue) << message;
    const Fd file(open(queue.c_str(), O_RDONLY | O_CLOEXEC));
    const MailboxText body{
        "s@far.test", "o@here.test", "u@here.test", {file.get(), 0, message.size()}};
    const WallTime now{Seconds{1795290704}};
    ASSERT_TRUE(append_message(sys::RealFs::instance(), box_, quick(), body, now));
    EXPECT_EQ(contents(box_),
              queue::from_line("s@far.test", now) +
                  "\nReturn-Path: <s@far.test>\nX-Original-To: o@here.test\nDelivered-To: "
                  "u@here.test\nSubject: x\n\n>From here\n>From there\nend\n\n");
}

TEST(MboxLocks, AreNamed) {
    const auto rules = mailbox::parse_locks("flock, dotlock");
    ASSERT_TRUE(rules);
    EXPECT_TRUE(rules->flock && rules->dotlock && !rules->fcntl);
    EXPECT_FALSE(mailbox::parse_locks("flok"));
}

TEST(MailboxFailure, TellsWhatMayPass) {
    const struct {
        Error error;
        bool orders;
        std::string expected;
    } cases[] = {
        {{Errc::timeout, "x"}, true, "4.2.0"},
        {{Errc::no_space, "x", ENOSPC}, true, "4.2.2"},
        {{Errc::no_space, "x", EDQUOT}, false, "5.2.2"},
        {{Errc::denied, "x"}, false, "4.2.0"},
        {{Errc::denied, "x"}, true, "5.2.0"},
        {{Errc::temporary, "x"}, true, "4.2.0"},
    };
    for (const auto& c : cases)
        EXPECT_EQ(mailbox_failure(c.error, "", c.orders).status, c.expected);
}

}  // namespace
}  // namespace postern::local
