// postsuper -r's copy: complete or not there, and the message in hold/ stays until it is complete.
#include "commands/requeue.h"

#include <fcntl.h>

#include "lib/queue/admin.h"
#include "lib/queue/directories.h"
#include "lib/queue/writer.h"
#include "lib/sys/file.h"

#include "tests/support/faulty_fs.h"
#include "tests/support/rooted_fs.h"
#include "tests/support/temp_folder.h"

namespace postern::commands {
namespace {

using queue::Directory;

class RequeueTest : public testing::Test {
  protected:
    RequeueTest() {
        EXPECT_TRUE(queue::create_all(fs_));
        envelope_.id = id_;
        envelope_.sender = "ann@client.test";
        envelope_.flags = queue::kBody8bit | queue::kReportAll;
        envelope_.set_attribute(queue::attribute::kEnvid, "one");
        envelope_.set_attribute(queue::attribute::kRet, "hdrs");
        envelope_.set_attribute(queue::attribute::kVerp, "-=");
        envelope_.set_attribute(queue::attribute::kPriority, "-3");
        envelope_.set_attribute(queue::attribute::kRelease, "1800000000000000");
        envelope_.recipients = {{"done@x.test", {}, {}, 0, true},
                                {"b@x.test", "first@x.test", "rfc822;f", queue::kNotifyDelay}};
    }
    void hold() {
        queue::BatchBuilder builder;
        builder.add(envelope_, body_);
        const Fd fd =
            fs_.open(queue::path_of(Directory::hold, id_), O_WRONLY | O_CREAT | O_TRUNC, 0600)
                .value();
        ASSERT_TRUE(fs_.write(fd.get(), std::move(builder).finish()));
    }
    std::vector<std::string> dropped() {
        std::vector<std::string> files;
        const auto entries = fs_.list("maildrop").value();
        for (const auto& entry : entries) files.push_back("maildrop/" + entry.name);
        return files;
    }
    // The text of the one complete file there.
    std::string text_of(const std::string& path, queue::MaildropEnvelope& envelope) {
        const Fd fd = fs_.open(path, O_RDONLY, 0).value();
        queue::MaildropParser parser({.requeued = true});
        std::string text;
        EXPECT_TRUE(parser.feed(fs_.read_at(fd.get(), 0, 1 << 20).value(), &text));
        EXPECT_TRUE(parser.complete());
        envelope = parser.envelope();
        return text;
    }

    support::TempFolder folder_;
    support::RootedFs fs_{folder_.path()};
    const QueueId id_ = *QueueId::parse("4BCDF10k");
    queue::Envelope envelope_;
    std::string body_ = "Subject: x\r\n\r\n.dot\r\n" + std::string(200'000, 'y') + "\r\n";
};

TEST_F(RequeueTest, TakesAllThatIsOpen) {
    hold();
    {
        const MaildropCopy copy = copy_to_maildrop(fs_, id_, true).value();
        EXPECT_EQ(queue::path_of(Directory::maildrop, copy.id), dropped().at(0));
        const Fd pickup = fs_.open(dropped().at(0), O_RDONLY, 0).value();
        EXPECT_FALSE(*sys::try_lock(pickup.get(), sys::LockKind::shared)) << "not yet";
    }
    ASSERT_EQ(dropped().size(), 1U);
    queue::MaildropEnvelope got;
    EXPECT_EQ(text_of(dropped()[0], got), body_);
    EXPECT_EQ(got.sender, "ann@client.test");
    EXPECT_EQ(got.requeued, id_);
    EXPECT_EQ(got.recipients, std::vector<std::string>{"b@x.test"});
    EXPECT_EQ(got.known.at(0).original, "first@x.test");
    EXPECT_EQ(got.known.at(0).notify, queue::kNotifyDelay);
    EXPECT_EQ(got.envid + " " + got.ret, "one hdrs");
    EXPECT_EQ(got.verp, "-=");
    EXPECT_TRUE(got.body_8bit && got.report_all);
    EXPECT_EQ(got.priority, -3);
    EXPECT_EQ(got.release, WallTime(Micros(1'800'000'000'000'000)));
    EXPECT_TRUE(fs_.info(queue::path_of(Directory::hold, id_))) << "who called removes it";
}

TEST_F(RequeueTest, WhatCannotBeCopiedStays) {
    EXPECT_EQ(copy_to_maildrop(fs_, id_, false).error().code, Errc::not_found);
    hold();
    {
        const Fd other = fs_.open(queue::path_of(Directory::hold, id_), O_RDONLY, 0).value();
        ASSERT_TRUE(*sys::try_lock(other.get(), sys::LockKind::exclusive));
        EXPECT_TRUE(queue::is_in_use(copy_to_maildrop(fs_, id_, false).error()));
    }
    envelope_.recipients[1].done = true;
    hold();
    EXPECT_FALSE(copy_to_maildrop(fs_, id_, false)) << "nobody is left";
    envelope_.recipients[1].done = false;
    envelope_.id = *QueueId::parse("4BCDF11k");
    hold();
    EXPECT_FALSE(copy_to_maildrop(fs_, id_, false)) << "another message";
    EXPECT_EQ(dropped(), std::vector<std::string>{});
}

// Between the copy and the removal: the message is his then who has it, and there is no copy.
TEST_F(RequeueTest, WhatIsTakenInHandMeanwhileIsNotDoubled) {
    class Quicker final : public support::RootedFs {
      public:
        using RootedFs::RootedFs;
        Result<sys::FileInfo> info(const std::string& path) override {
            if (deed && path.starts_with("deferred")) std::exchange(deed, nullptr)();
            return RootedFs::info(path);
        }
        std::function<void()> deed;
    } fs(folder_.path());
    std::string warnings;
    const auto move = [&] {
        return move_to_maildrop(fs, id_, true, [&](std::string_view text) { warnings += text; });
    };
    const std::string path = queue::path_of(Directory::hold, id_);
    Fd reader;
    hold();
    fs.deed = [&] {
        reader = fs_.open(path, O_RDONLY, 0).value();
        EXPECT_TRUE(*sys::try_lock(reader.get(), sys::LockKind::shared));
    };
    const auto refused = move();
    ASSERT_FALSE(refused);
    EXPECT_TRUE(queue::is_in_use(refused.error()));
    EXPECT_TRUE(fs_.info(path));
    EXPECT_EQ(dropped(), std::vector<std::string>{});
    reader.reset();
    fs.deed = [&] { ASSERT_TRUE(fs_.unlink(path)); };
    EXPECT_FALSE(move().value());
    EXPECT_EQ(dropped(), std::vector<std::string>{});
    hold();
    EXPECT_TRUE(move().value());
    EXPECT_FALSE(fs_.info(path));
    EXPECT_EQ(dropped().size(), 1U);
    EXPECT_FALSE(move().value()) << "it is in hold/ no more";
    EXPECT_EQ(warnings, "");
}

TEST_F(RequeueTest, FailuresLeaveNothingHalf) {
    hold();
    for (int n = 1;; ++n) {
        support::FaultyFs faulty(folder_.path(), n);
        const auto copied = copy_to_maildrop(faulty, id_, true);
        if (!faulty.fired()) {
            EXPECT_TRUE(copied);
            break;
        }
        EXPECT_FALSE(copied) << n;
        EXPECT_TRUE(fs_.info(queue::path_of(Directory::hold, id_)));
        for (const std::string& path : dropped()) {
            const Fd fd = fs_.open(path, O_RDONLY, 0).value();
            EXPECT_FALSE(queue::read_maildrop_envelope(fs_, fd.get())) << n << " " << path;
            ASSERT_TRUE(fs_.unlink(path));
        }
        ASSERT_LT(n, 50);
    }
}

}  // namespace
}  // namespace postern::commands
