#include "verify/prober.h"

#include <gtest/gtest.h>

#include "tests/support/fake_cleanup.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_folder.h"

namespace postern::verify {
namespace {

TEST(Prober, PutsAProbeIntoTheQueue) {
    support::TempFolder folder;
    support::FakeCleanup cleanup(folder / "cleanup", ipc::Outcome::accept);
    const Prober prober({.cleanup = folder / "cleanup",
                         .sender = {"double-bounce", "here.test", Seconds{0}},
                         .timeout = Millis{5000}});
    ASSERT_TRUE(prober.probe("a@far.test"));
    const auto sent = cleanup.submitted();
    ASSERT_EQ(sent.size(), 1U);
    EXPECT_EQ(sent[0].envelope.probe, ipc::Probe::cache);
    EXPECT_EQ(sent[0].envelope.origin, ipc::Origin::internal);
    EXPECT_EQ(sent[0].envelope.sender, "double-bounce@here.test");
    ASSERT_EQ(sent[0].envelope.recipients.size(), 1U);
    EXPECT_EQ(sent[0].envelope.recipients[0].address, "a@far.test");
    EXPECT_EQ(sent[0].envelope.recipients[0].notify, ipc::kNotifyNever);
    EXPECT_NE(sent[0].text.find("Subject: probe\r\n"), std::string::npos);
}

TEST(Prober, TellsWhatCleanupSays) {
    support::TempFolder folder;
    const Prober prober({.cleanup = folder / "cleanup", .sender = {}, .timeout = Millis{500}});
    EXPECT_FALSE(prober.probe("a@far.test")) << "nobody there";
    support::FakeCleanup cleanup(folder / "cleanup", ipc::Outcome::defer);
    const auto refused = prober.probe("a@far.test");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().what, "cleanup: said cleanup");
}

TEST(VerifySender, IsCompleteAndMayChange) {
    using config::VerifySender;
    const WallTime now{Seconds{1'000'000}};
    EXPECT_EQ(VerifySender("double-bounce", "here.test", Seconds{0}).at(now),
              "double-bounce@here.test");
    EXPECT_EQ(VerifySender("v@x.test", "here.test", Seconds{0}).at(now), "v@x.test");
    for (const char* null : {"", "<>"}) {
        const VerifySender nobody(null, "here.test", Seconds{3600});
        EXPECT_EQ(nobody.at(now), "");
        EXPECT_FALSE(nobody.is_one("", now));
    }
    const VerifySender changing("v", "here.test", Seconds{3600});
    const std::string first = changing.at(now), next = changing.at(now + Seconds{3600});
    EXPECT_NE(first, next);
    EXPECT_TRUE(first.starts_with("v") && first.ends_with("@here.test") && first.size() > 12)
        << first;
    EXPECT_TRUE(changing.is_one(first, now + Seconds{3600})) << "for one period more";
    EXPECT_FALSE(changing.is_one(first, now + Seconds{2 * 3600}));
    EXPECT_FALSE(changing.is_one("v@here.test", now));
    EXPECT_TRUE(VerifySender("v", "here.test", Seconds{0}).is_one("V@Here.test", now));
}

}  // namespace
}  // namespace postern::verify
