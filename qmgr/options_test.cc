// What qmgr makes of main.cf: the limits of transports.
#include "qmgr/options.h"

#include <gtest/gtest.h>

#include <tuple>

#include "lib/config/config.h"
#include "lib/ipc/messages/limits.h"
#include "lib/log/log.h"

namespace postern::qmgr {
namespace {

TransportLimits limits_in(const std::string& main_cf, std::string_view transport) {
    const auto config = config::Config::parse(main_cf).value();
    return options_from(config).limits_for(transport);
}

struct Case {
    const char* main_cf;
    const char* transport;
    unsigned concurrency;
};

TEST(Options, concurrency_of_a_destination) {
    const Case cases[] = {
        {"", "smtp", 20},
        {"default_destination_concurrency_limit = 7\n", "smtp", 7},
        {"smtp_destination_concurrency_limit = 3\n", "smtp", 3},
        {"smtp_destination_concurrency_limit = 3\n", "slow", 20},
        // Mailbox files are locked; Maildirs are not.
        {"", "local", 2},
        {"home_mailbox = Mailbox\n", "local", 2},
        {"home_mailbox = Maildir/\n", "local", 100},
        {"mail_spool_directory = /var/mail/\n", "local", 100},
        {"home_mailbox = Mailbox\nmail_spool_directory = /var/mail/\n", "local", 2},
        {"home_mailbox = Maildir/\nmailbox_command = /usr/bin/procmail\n", "local", 2},
        {"home_mailbox = Maildir/\nmailbox_command_maps = hash:/x\n", "local", 2},
        {"", "virtual", 100},
        // What was set is kept, be it the default.
        {"home_mailbox = Maildir/\nlocal_destination_concurrency_limit = 2\n", "local", 2},
        {"virtual_destination_concurrency_limit = 20\n", "virtual", 20},
    };
    for (const auto& one : cases) {
        EXPECT_EQ(limits_in(one.main_cf, one.transport).concurrency, one.concurrency)
            << one.transport << " with " << one.main_cf;
    }
}

TEST(Options, recipients_of_one_request) {
    EXPECT_EQ(limits_in("", "local").recipients, 1U);
    EXPECT_EQ(limits_in("", "smtp").recipients, 50U);
    EXPECT_EQ(limits_in("virtual_destination_recipient_limit = 1\n", "virtual").recipients, 1U);
    // 0 is no limit: as many as fit into one request.
    EXPECT_EQ(limits_in("smtp_destination_recipient_limit = 0\n", "smtp").recipients,
              ipc::kMaxRecipientsPerMessage);
}

TEST(Options, BestMxOfATransport) {
    const auto config = config::Config::parse("best_mx_transport = local\nown = virtual\n").value();
    const auto master = config::MasterFile::parse(
                            "smtp unix - - n - - smtp\nrelay unix - - n - - smtp\n"
                            "  -o best_mx_transport=$own\nlmtp unix - - n - - lmtp "
                            "-o best_mx_transport=\n")
                            .value();
    const Options options = options_from(config, master);
    EXPECT_EQ(options.best_mx_transport, "local");
    EXPECT_EQ(options.best_mx_overrides, (std::map<std::string, std::string, std::less<>>{
                                             {"relay", "virtual"}, {"lmtp", ""}}));
}

TEST(Options, SlotsOfATransport) {
    const SlotRules usual = limits_in("", "smtp").slots;
    EXPECT_EQ(std::tie(usual.cost, usual.loan, usual.discount, usual.minimum),
              std::make_tuple(5U, 3U, 50U, 3U));
    const char* main_cf =
        "default_delivery_slot_loan = 9\nslow_delivery_slot_cost = 2\nslow_delivery_slot_loan = 1\n"
        "slow_delivery_slot_discount = 10\nslow_minimum_delivery_slots = 0\n";
    const SlotRules slow = limits_in(main_cf, "slow").slots;
    EXPECT_EQ(std::tie(slow.cost, slow.loan, slow.discount, slow.minimum),
              std::make_tuple(2U, 1U, 10U, 0U));
    EXPECT_EQ(limits_in(main_cf, "smtp").slots.loan, 9U);
}

TEST(Options, FeedbackAndPausesOfATransport) {
    log::open_capture();
    TransportLimits smtp = limits_in(
        "smtp_destination_concurrency_positive_feedback = 1/concurrency\n"
        "default_destination_concurrency_negative_feedback = 0.5\n"
        "default_destination_concurrency_failed_cohort_limit = 1.5\n"
        "smtp_destination_rate_delay = 2s\ndefault_transport_rate_delay = 1s\n",
        "smtp");
    EXPECT_DOUBLE_EQ(smtp.growth.at(4), 0.25);
    EXPECT_DOUBLE_EQ(smtp.shrinkage.at(4), 0.5);
    EXPECT_DOUBLE_EQ(smtp.failed_cohorts, 1.5);
    EXPECT_EQ(smtp.site_pause, Seconds{2});
    EXPECT_EQ(smtp.transport_pause, Seconds{1});
    EXPECT_EQ(log::take_captured(), "");
    smtp = limits_in(
        "smtp_destination_concurrency_positive_feedback = fast\n"
        "default_destination_concurrency_failed_cohort_limit = -1\n",
        "smtp");
    EXPECT_DOUBLE_EQ(smtp.growth.at(4), 1);
    EXPECT_DOUBLE_EQ(smtp.failed_cohorts, 1);
    const std::string said = log::take_captured();
    EXPECT_NE(said.find("smtp_destination_concurrency_positive_feedback: \"fast\" is no number"),
              std::string::npos)
        << said;
    EXPECT_NE(said.find("default_destination_concurrency_failed_cohort_limit: \"-1\""),
              std::string::npos)
        << said;
    smtp = limits_in("smtp_destination_concurrency_failed_cohort_limit =\n", "smtp");
    EXPECT_DOUBLE_EQ(smtp.failed_cohorts, 1) << "nothing is not \"never\"";
    EXPECT_NE(log::take_captured().find("smtp_destination_concurrency_failed_cohort_limit: \"\""),
              std::string::npos);
}

}  // namespace
}  // namespace postern::qmgr
