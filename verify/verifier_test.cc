#include "verify/verifier.h"

#include <gtest/gtest.h>

#include <fstream>

#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_folder.h"

namespace postern::verify {
namespace {

using ipc::AddressStatus;

class VerifierTest : public testing::TestWithParam<const char*> {
  protected:
    VerifierTest() { log::open_capture(); }

    // "": in memory.
    Verifier make() {
        const std::string type = GetParam();
        auto cache =
            table::CacheFile::open(type.empty() ? "" : cat({type, ":", folder_ / "cache"}));
        EXPECT_TRUE(cache) << cache.error().what;
        return {std::move(*cache), settings_,
                [this](const std::string& address) -> Result<void> {
                    if (!probes_work_) return Error{Errc::temporary, "no cleanup"};
                    probes_.push_back(address);
                    return {};
                },
                clock_};
    }
    // "0 text"
    static std::string said(const ipc::VerifyAnswer& answer) {
        return cat({std::to_string(static_cast<int>(answer.status)), " ", answer.text});
    }
    void wait(Seconds time) { clock_.advance(time); }

    support::TempFolder folder_;
    support::FakeClock clock_;
    Verifier::Settings settings_;
    std::vector<std::string> probes_;
    bool probes_work_ = true;
};

const char* const kInProgress = "3 Address verification in progress";

TEST_P(VerifierTest, AsksOnceAndRemembers) {
    Verifier verifier = make();
    EXPECT_EQ(said(verifier.answer("A@Far.test")), kInProgress);
    EXPECT_EQ(said(verifier.answer("a@far.test")), kInProgress);
    EXPECT_EQ(probes_, std::vector<std::string>{"A@Far.test"});
    EXPECT_TRUE(verifier.update({"a@far.test", AddressStatus::deliverable, "250 2.1.5 Ok"}));
    EXPECT_EQ(said(verifier.answer("a@far.test")), "0 250 2.1.5 Ok");
    EXPECT_EQ(probes_.size(), 1U);
}

TEST_P(VerifierTest, ALostProbeIsSentAgain) {
    Verifier verifier = make();
    verifier.answer("a@far.test");
    wait(Seconds{999});
    verifier.answer("a@far.test");
    EXPECT_EQ(probes_.size(), 1U);
    wait(Seconds{1});
    verifier.answer("a@far.test");
    EXPECT_EQ(probes_.size(), 2U);
}

TEST_P(VerifierTest, AProbeThatCannotBeSentIsTriedAtTheNextQuestion) {
    Verifier verifier = make();
    probes_work_ = false;
    EXPECT_EQ(said(verifier.answer("a@far.test")), kInProgress);
    EXPECT_NE(log::take_captured().find("address probe for a@far.test: no cleanup"),
              std::string::npos);
    probes_work_ = true;
    verifier.answer("a@far.test");
    EXPECT_EQ(probes_.size(), 1U);
}

TEST_P(VerifierTest, AnOldAnswerServesWhileItIsRefreshed) {
    Verifier verifier = make();
    verifier.update({"a@far.test", AddressStatus::deliverable, "ok"});
    wait(Seconds{7 * 86400 + 1});
    EXPECT_EQ(said(verifier.answer("a@far.test")), "0 ok");
    EXPECT_EQ(said(verifier.answer("a@far.test")), "0 ok");
    EXPECT_EQ(probes_.size(), 1U);
    wait(Seconds{24 * 86400});
    EXPECT_EQ(said(verifier.answer("a@far.test")), kInProgress) << "expired";
}

TEST_P(VerifierTest, OneFailureDoesNotUndoWhatIsKnownToBeGood) {
    Verifier verifier = make();
    verifier.update({"a@far.test", AddressStatus::deliverable, "ok"});
    EXPECT_TRUE(verifier.update({"a@far.test", AddressStatus::undeliverable, "no"}));
    EXPECT_EQ(said(verifier.answer("a@far.test")), "0 ok");
    wait(Seconds{31 * 86400 + 1});
    verifier.update({"a@far.test", AddressStatus::undeliverable, "no"});
    EXPECT_EQ(said(verifier.answer("a@far.test")), "2 no");
    verifier.update({"a@far.test", AddressStatus::deferred, "later"});
    EXPECT_EQ(said(verifier.answer("a@far.test")), "1 later");
    verifier.update({"a@far.test", AddressStatus::deliverable, "ok"});
    EXPECT_EQ(said(verifier.answer("a@far.test")), "0 ok");
}

TEST_P(VerifierTest, NegativeAnswersNeedNotBeKept) {
    settings_.negative_cache = false;
    Verifier verifier = make();
    EXPECT_TRUE(verifier.update({"a@far.test", AddressStatus::undeliverable, "no"}));
    EXPECT_EQ(said(verifier.answer("a@far.test")), kInProgress);
    EXPECT_FALSE(verifier.update({"a@far.test", AddressStatus::unknown, ""}));
    EXPECT_FALSE(verifier.update({"", AddressStatus::deliverable, ""}));
}

TEST_P(VerifierTest, SurvivesARestart) {
    {
        Verifier verifier = make();
        verifier.update({"a@far.test", AddressStatus::undeliverable, "no\nbody"});
    }
    Verifier verifier = make();
    const bool in_memory = std::string(GetParam()).empty();
    EXPECT_EQ(verifier.in_memory(), in_memory);
    EXPECT_EQ(said(verifier.answer("a@far.test")), in_memory ? kInProgress : "2 no?body");
}

TEST_P(VerifierTest, CleansUp) {
    Verifier verifier = make();
    verifier.clean();
    verifier.update({"bad@far.test", AddressStatus::undeliverable, "no"});
    verifier.update({"good@far.test", AddressStatus::deliverable, "ok"});
    wait(Seconds{3 * 86400 + 1});
    verifier.answer("new@far.test");  // with a probe under way
    log::take_captured();
    verifier.clean();
    EXPECT_NE(log::take_captured().find("verify cache: 1 expired entries removed"),
              std::string::npos);
    verifier.clean();
    EXPECT_EQ(log::take_captured(), "") << "not before its time";
    EXPECT_EQ(said(verifier.answer("good@far.test")), "0 ok");
    EXPECT_EQ(said(verifier.answer("bad@far.test")), kInProgress);
    verifier.answer("new@far.test");
    EXPECT_EQ(probes_, (std::vector<std::string>{"new@far.test", "bad@far.test"}));
}

INSTANTIATE_TEST_SUITE_P(Caches, VerifierTest, testing::Values("", "btree", "hash", "lmdb"),
                         [](const auto& info) {
                             const std::string type = info.param;
                             return type.empty() ? "memory" : type;
                         });

TEST(CacheFile, OtherTypesAreRefused) {
    for (const char* spec : {"cdb:/tmp/x", "btree:", "nonsense", "texthash:/tmp/x"}) {
        auto cache = table::CacheFile::open(spec);
        ASSERT_FALSE(cache) << spec;
        EXPECT_EQ(cache.error().code, Errc::invalid);
    }
}

TEST(CacheFile, WhatCannotBeReadIsSetAside) {
    support::TempFolder folder;
    const std::string path = folder / "cache.db";
    std::ofstream(path) << std::string(10'000, 'x');
    auto cache = table::CacheFile::open(cat({"proxy:btree:", folder / "cache"}));
    ASSERT_TRUE(cache) << cache.error().what;
    EXPECT_EQ(cache->set_aside(), path);
    EXPECT_TRUE(std::ifstream(path + ".unreadable").good());
    ASSERT_TRUE(cache->put("a", "1"));
    EXPECT_EQ(*cache->get("a"), "1");
    ASSERT_TRUE(cache->remove({"a", "none"}));
    EXPECT_TRUE(cache->get("a").not_found());
}

}  // namespace
}  // namespace postern::verify
