// What Dovecot and Courier wrote is read, and folders of theirs are adopted.
#include "lib/mailbox/foreign.h"

#include "lib/log/log.h"
#include "lib/mailbox/folder_index.h"
#include "lib/mailbox/test_folder.h"

namespace postern::mailbox {
namespace {

using testing::ElementsAre;
using testing::Pair;

TEST(DovecotUidlist, IsRead) {
    const auto uids = parse_dovecot_uidlist(
        "3 V1275660208 N25022 G3085f01b7f11094c501100008c4a11c1\n"
        "25006 :1276528487.M364837P9451.kurkku,S=1355,W=1394:2,\n"
        "25017 W2481 :1276533073.M242911P3632.kurkku:2,F\n");
    ASSERT_TRUE(uids);
    EXPECT_EQ(uids->validity, 1275660208U);
    EXPECT_EQ(uids->next_uid, 25022U);
    EXPECT_THAT(uids->messages,
                ElementsAre(Pair(25006, "1276528487.M364837P9451.kurkku,S=1355,W=1394"),
                            Pair(25017, "1276533073.M242911P3632.kurkku")));
    const auto old = parse_dovecot_uidlist("1 1173189136 20221\n20220 1196.M3P4.host:2,S\n");
    ASSERT_TRUE(old);
    EXPECT_EQ(old->validity, 1173189136U);
    EXPECT_THAT(old->messages, ElementsAre(Pair(20220, "1196.M3P4.host")));
    // What we write for it is what we read
    EXPECT_EQ(parse_dovecot_uidlist(format_dovecot_uidlist(*uids, std::string(32, 'a')))->messages,
              uids->messages);
}

TEST(DovecotUidlist, DamageIsNoList) {
    for (const char* text :
         {"", "\n", "3\n", "3 V N\n", "2 V5 N6\n", "3 V5 N6\nx :a\n", "3 V5 N6\n4 a\n",
          "3 V5 N6\n4 :a\n4 :b\n", "3 V5 N6\n4 :a\n3 :b\n", "3 V5 N6\n0 :a\n", "3 V5 N6\n1 ::2,\n",
          "3 V5 N6\n4294967295 :a\n", "3 V99999999999 N1\n", "<html>\n"})
        EXPECT_FALSE(parse_dovecot_uidlist(text)) << text;
    EXPECT_EQ(parse_dovecot_uidlist("3 V5 N1\n7 :a\n")->next_uid, 8U);
    for (const char* text : {"", "2 5 6\n", "1 5\n", "1 x y\n", "1 5 6\na\n"})
        EXPECT_FALSE(parse_courier_uiddb(text)) << text;
}

TEST(ForeignFormats, AreRead) {
    const auto courier = parse_courier_uiddb("1 1100000000 12\n10 1100.a.host\n11 1101.b.host\n");
    ASSERT_TRUE(courier);
    EXPECT_EQ(courier->validity, 1100000000U);
    EXPECT_EQ(courier->messages.size(), 2U);
    EXPECT_THAT(parse_dovecot_keywords("0 $Junk\n3 Work\n26 zz\nx y\n"),
                ElementsAre(Pair('a', "$Junk"), Pair('d', "Work")));
    EXPECT_THAT(
        parse_courier_keywords("one\ntwo\n\n1.a:0 1\n2.b:1 9\nbad\n"),
        ElementsAre(Pair("1.a", ElementsAre("one", "two")), Pair("2.b", ElementsAre("two"))));
    EXPECT_THAT(parse_dovecot_subscriptions("V\t2\n\nSent\na\tb\n"), ElementsAre("Sent", "a.b"));
    EXPECT_THAT(parse_dovecot_subscriptions("Sent\nINBOX.a\n"), ElementsAre("Sent", "a"));
    EXPECT_THAT(parse_courier_subscriptions("INBOX\nINBOX.Sent\n"), ElementsAre("INBOX", "Sent"));
    EXPECT_THAT(parse_dovecot_subscriptions(format_dovecot_subscriptions({"x", "y.z"})),
                ElementsAre("x", "y.z"));
}

TEST(Adoption, TakesOverDovecotsUidsAndKeywords) {
    TestMaildir maildir;
    maildir.store();
    maildir.put("cur/100.M2P1.h,S=3:2,Sa", "a\n\n");
    maildir.put("cur/100.M1P1.h,S=3:2,Fb", "b\n\n");
    maildir.put("new/101.M1P1.h,S=3", "c\n\n");
    maildir.put("dovecot-uidlist",
                "3 V1234 N90 Gaa\n7 :100.M2P1.h,S=3\n9 :100.M1P1.h,S=3\n11 :gone\n");
    maildir.put("dovecot-keywords", "0 $Junk\n1 Work\n");
    maildir.put("subscriptions", "V\t2\n\nSent\n../x\n");
    const auto view = maildir.inbox().open(Access::read_write).value();
    EXPECT_EQ(view->uid_validity(), 1234U);
    EXPECT_THAT(uids_of(*view), ElementsAre(7, 9, 90));
    EXPECT_THAT(view->keywords(), testing::UnorderedElementsAre("$Forwarded", "$Junk", "Work"));
    const auto has = [&](std::uint32_t seq, const std::string& name) {
        const std::vector<std::string> names{name};
        return (view->message(seq).flags.keywords & view->keyword_bits(names).value()) != 0;
    };
    EXPECT_TRUE(has(1, "$Junk") && !has(1, "Work"));
    EXPECT_TRUE(has(2, "Work") && !has(2, "$Junk"));
    EXPECT_EQ(view->message(1).flags.system, kSeen);
    EXPECT_THAT(maildir.store().subscriptions().value(), ElementsAre("Sent"));
    // From now on the list is ours: another change of Dovecot's does not count.
    maildir.put("dovecot-uidlist", "3 V99 N1 Gaa\n");
    EXPECT_EQ(maildir.inbox().status().value().uid_validity, 1234U);
    auto store = maildir.store();
    ASSERT_TRUE(store.subscribe("Work"));
    EXPECT_THAT(store.subscriptions().value(), ElementsAre("Sent", "Work"));
}

TEST(Adoption, TakesOverCourierFolders) {
    TestMaildir maildir;
    maildir.store();
    maildir.put("cur/5.a.h:2,S", "a\n\n");
    maildir.put("courierimapuiddb", "1 777 4\n3 5.a.h\n");
    std::filesystem::create_directory(maildir.root() + "/courierimapkeywords");
    maildir.put("courierimapkeywords/:list", "Work\n\n5.a.h:0\n");
    maildir.put("courierimapsubscribed", "INBOX.Sent\n");
    const auto view = maildir.inbox().open(Access::read_write).value();
    EXPECT_EQ(view->uid_validity(), 777U);
    EXPECT_THAT(uids_of(*view), ElementsAre(3));
    EXPECT_EQ(view->message(1).flags.keywords, 2U);
    EXPECT_THAT(maildir.store().subscriptions().value(), ElementsAre("Sent"));
}

// The first that a client does with a folder of sent mail may be to add to it, unseen.
TEST(Adoption, WhatIsAddedFirstLeavesTheOthersTheirUids) {
    TestMaildir maildir;
    const Store store = maildir.store();
    for (const char* name : {"Appended", "Copied"}) {
        ASSERT_TRUE(maildir.store().create(name));
        maildir.put(cat({".", name, "/cur/100.M2P1.h:2,S"}), "Subject: a\n\nb\n");
        maildir.put(cat({".", name, "/dovecot-uidlist"}), "3 V1234 N90 Gaa\n7 :100.M2P1.h\n");
    }
    const auto message = std::vector{append_text("Subject: c\n\nd\n")};
    EXPECT_THAT(store.mailbox("Appended")->append(message)->uids, ElementsAre(90));
    ASSERT_TRUE(maildir.inbox().append(message));
    const auto inbox = maildir.inbox().open(Access::read_write).value();
    const std::uint32_t first = 1;
    EXPECT_THAT(inbox->copy({&first, 1}, *store.mailbox("Copied"))->uids, ElementsAre(90));
    for (const char* name : {"Appended", "Copied"})
        EXPECT_THAT(uids_of(**store.mailbox(name)->open(Access::read_write)), ElementsAre(7, 90));
}

// Not knowing its UIDs now is no reason to give all messages new ones for ever.
TEST(Adoption, AListThatCannotBeReadIsWaitedFor) {
    TestMaildir maildir;
    maildir.store();
    maildir.put("cur/100.M2P1.h:2,S", "Subject: a\n\nb\n");
    const std::filesystem::path list = maildir.root() + "/dovecot-uidlist";
    std::filesystem::create_symlink("elsewhere", list);
    EXPECT_FALSE(maildir.inbox().open(Access::read_write));
    std::filesystem::remove(list);
    std::filesystem::create_directory(list);
    const auto opened = maildir.inbox().open(Access::read_write);
    ASSERT_FALSE(opened);
    EXPECT_NE(opened.error().what.find("dovecot-uidlist: not a regular file"), std::string::npos)
        << opened.error().what;
    EXPECT_FALSE(std::filesystem::exists(maildir.root() + "/postern.uids"));
    std::filesystem::remove(list);
    maildir.put("dovecot-uidlist", "3 V1234 N90 Gaa\n7 :100.M2P1.h\n");
    const auto view = maildir.inbox().open(Access::read_write);
    ASSERT_TRUE(view);
    EXPECT_EQ((*view)->uid_validity(), 1234U);
    EXPECT_EQ((*view)->message(1).uid, 7U);
}

// A folder that was Dovecot's, then ours for a while: two messages, 7 of Dovecot's time and 90 of
// ours.
class BackAndForth : public testing::Test {
  protected:
    BackAndForth() {
        (void)maildir.store();
        maildir.put("cur/100.M2P1.h:2,S", "Subject: a\n\nb\n");
        maildir.put("dovecot-uidlist", "3 V1234 N90 Gaa\n7 :100.M2P1.h\n");
        EXPECT_EQ(maildir.inbox().append(std::vector{append_text("Subject: c\n\nd\n")})->uids.at(0),
                  90U);
        const auto view = maildir.inbox().open(Access::read_write).value();
        EXPECT_THAT(uids_of(*view), ElementsAre(7, 90));
        base = view->base_name(2);
    }

    // Dovecot serves the folder again, and leaves this list; rsync brings it with its old time.
    void dovecot_writes(const std::string& list) {
        maildir.put("dovecot-uidlist", list);
        set_time(-std::chrono::hours(++written));
    }
    void set_time(std::chrono::seconds from_now) {
        std::filesystem::last_write_time(list_path(),
                                         std::filesystem::file_time_type::clock::now() + from_now);
    }
    std::filesystem::path list_path() const { return maildir.root() + "/dovecot-uidlist"; }
    std::uint32_t append() {
        return maildir.inbox().append(std::vector{append_text("x: y\n\n")})->uids.at(0);
    }
    MailboxStatus status() { return maildir.inbox().status().value(); }

    TestMaildir maildir;
    std::string base;
    int written = 0;
};

TEST_F(BackAndForth, UidsThatDovecotGaveMeanwhileAreKept) {
    maildir.put("cur/200.M2P1.h:2,S", "Subject: e\n\nf\n");
    dovecot_writes("3 V1234 N95 Gaa\n7 :100.M2P1.h\n90 :" + base + "\n93 :200.M2P1.h\n");
    const auto view = maildir.inbox().open(Access::read_write).value();
    EXPECT_EQ(view->uid_validity(), 1234U);
    EXPECT_THAT(uids_of(*view), ElementsAre(7, 90, 93));
    EXPECT_EQ(view->next_uid(), 95U);
}

TEST_F(BackAndForth, WhatIsAddedFirstLeavesThemToo) {
    maildir.put("cur/200.M2P1.h:2,S", "Subject: e\n\nf\n");
    dovecot_writes("3 V1234 N95 Gaa\n7 :100.M2P1.h\n90 :" + base + "\n93 :200.M2P1.h\n");
    const auto added = maildir.inbox().append(std::vector{append_text("Subject: g\n\nh\n")});
    EXPECT_EQ(added->uids.at(0), 95U);
    const auto view = maildir.inbox().open(Access::read_write).value();
    EXPECT_THAT(uids_of(*view), ElementsAre(7, 90, 93, 95));
}

TEST_F(BackAndForth, UidsOfWhatCameAndWentAreNotGivenAgain) {
    dovecot_writes("3 V1234 N99 Gaa\n7 :100.M2P1.h\n90 :" + base + "\n");
    const auto added = maildir.inbox().append(std::vector{append_text("Subject: g\n\nh\n")});
    EXPECT_EQ(added->uids.at(0), 99U);
    EXPECT_EQ(status().uid_validity, 1234U);
}

TEST_F(BackAndForth, OneUidOfTwoMessagesIsNone) {
    maildir.put("cur/200.M2P1.h:2,S", "Subject: e\n\nf\n");
    log::open_capture();
    dovecot_writes("3 V1234 N92 Gaa\n7 :100.M2P1.h\n90 :200.M2P1.h\n91 :" + base + "\n");
    const auto now = status();
    EXPECT_THAT(log::take_captured(), testing::HasSubstr("with a new UIDVALIDITY"));
    EXPECT_GT(now.uid_validity, 1000000U);
    EXPECT_EQ(now.messages, 3U);
    EXPECT_EQ(now.next_uid, 4U);
    dovecot_writes("3 V1234 N95 Gaa\n94 :100.M2P1.h\n");
    EXPECT_EQ(status().uid_validity, now.uid_validity) << "of another UIDVALIDITY";
}

// Nothing but its list tells that Dovecot numbered what came in our time: all files are where they
// were. Who only reads must hear of it, too.
TEST_F(BackAndForth, ReadersDoNotGoOnWithUidsOfOtherMessages) {
    auto view = maildir.inbox().open(Access::read_only).value();
    dovecot_writes("3 V1234 N92 Gaa\n7 :100.M2P1.h\n91 :" + base + "\n");
    view = maildir.inbox().open_after(std::move(view), Access::read_only).value();
    EXPECT_NE(view->uid_validity(), 1234U);
    dovecot_writes("3 V" + std::to_string(view->uid_validity()) + " N9 Gaa\n8 :" + base + "\n");
    EXPECT_GT(maildir.inbox().open(Access::read_only).value()->uid_validity(),
              view->uid_validity());
}

TEST_F(BackAndForth, AListIsReadOnce) {
    log::open_capture();
    dovecot_writes("3 V1234 N95 Gaa\n7 :100.M2P1.h\n");
    set_time(std::chrono::hours(1));  // of the future
    EXPECT_EQ(append(), 95U);
    // As it looks like what was read, nobody finds out.
    const auto time = std::filesystem::last_write_time(list_path());
    maildir.put("dovecot-uidlist", "3 V1234 N95 Gaa\n8 :100.M2P1.h\n");
    std::filesystem::last_write_time(list_path(), time);
    EXPECT_EQ(append(), 96U);
    EXPECT_EQ(status().uid_validity, 1234U);
    EXPECT_EQ(log::take_captured(), "");
}

// Who has added messages knows them by their UIDs: what it notes of them is of no others.
TEST_F(BackAndForth, WhoAddedMessagesDoesNotGoOnWithAnotherUidvalidity) {
    const Mailbox inbox = maildir.inbox();
    FolderIndex index(inbox.environment(), inbox.path());
    ASSERT_TRUE(index.load(false));
    const auto nothing = [] { return Result<void>(); };
    ASSERT_EQ(index.arrive({}, nothing, nothing)->uid_validity, 1234U);
    dovecot_writes("3 V1234 N99 Gaa\n90 :100.M2P1.h\n");
    EXPECT_NE(status().uid_validity, 1234U);
    EXPECT_FALSE(index.follow());
}

// UIDs that it gave under our UIDVALIDITY are not known any more.
TEST_F(BackAndForth, ADamagedListMeansNewUids) {
    log::open_capture();
    dovecot_writes("3 V1234 N95 Gaa\n8 :b\n7 :a\n");
    EXPECT_EQ(append(), 3U);
    const std::string told = log::take_captured();
    EXPECT_THAT(told, testing::HasSubstr("dovecot-uidlist: is damaged"));
    EXPECT_THAT(told, testing::HasSubstr("with a new UIDVALIDITY"));
    const auto now = status();
    EXPECT_GT(now.uid_validity, 1000000U);
    EXPECT_EQ(now.messages, 3U);
    EXPECT_EQ(append(), 4U) << "it was looked at once";
    EXPECT_EQ(status().uid_validity, now.uid_validity);
}

// One of Alice's that Bob may not read, a disk that stumbles: whoever can read it goes on.
TEST_F(BackAndForth, AListThatCannotBeReadIsWaitedFor) {
    std::filesystem::remove(list_path());
    EXPECT_EQ(append(), 91U) << "a list that is gone says nothing";
    std::filesystem::create_directory(list_path());
    const auto opened = maildir.inbox().open(Access::read_write);
    ASSERT_FALSE(opened);
    EXPECT_THAT(opened.error().what, testing::HasSubstr("dovecot-uidlist: not a regular file"));
    std::filesystem::remove(list_path());
    dovecot_writes("3 V1234 N95 Gaa\n7 :100.M2P1.h\n");
    EXPECT_EQ(append(), 95U);
    EXPECT_EQ(status().uid_validity, 1234U);
}

// RFC 3501 2.3.1.1; dsync keeps what Cyrus or Exchange had, which may be above the time.
TEST(Adoption, ANewUidvalidityIsAboveTheOldOne) {
    TestMaildir maildir;
    (void)maildir.store();
    maildir.put("cur/100.M2P1.h:2,S", "Subject: a\n\nb\n");
    maildir.put("dovecot-uidlist", "3 V4000000000 N90 Gaa\n7 :100.M2P1.h\n");
    EXPECT_EQ(maildir.inbox().status()->uid_validity, 4000000000U);
    maildir.put("dovecot-uidlist", "3 V4000000000 N90 Gaa\n81 :100.M2P1.h\n");
    EXPECT_EQ(maildir.inbox().status()->uid_validity, 4000000001U);
}

// As Courier 5.0.13 writes it
TEST(Foreign, UniqueIdsOfCouriersPop3) {
    const UidlByBase ids = parse_courier_pop3(
        "/3 4 1795379245\n1795379241.M80289P15172.vm,S=19:2,S 22 1:1795379245:0\n"
        "1795379242.M2.vm,S=19 22 2:1795379245:1\n17.old:2, 5 0:0:0\nno size\nx 5 y:z:0\nx 5 7\n");
    EXPECT_EQ(ids, (UidlByBase{{"1795379241.M80289P15172.vm,S=19", "UID1-1795379245"},
                               {"1795379242.M2.vm,S=19", "UID2-1795379245"},
                               {"17.old", "17.old"}}));
    EXPECT_TRUE(parse_courier_pop3("/2 4 1\na 5 1:2:0\n").empty());
    EXPECT_TRUE(parse_courier_pop3("").empty());
}

TEST(Adoption, DamagedListsAreNotBelieved) {
    TestMaildir maildir;
    maildir.store();
    maildir.put("cur/5.a.h:2,S", "a\n\n");
    maildir.put("dovecot-uidlist", "3 V5 N6\n4 :a\n3 :b\n");
    EXPECT_GT(maildir.inbox().status().value().uid_validity, 1000000U);
}

TEST(Foreign, FilesThatCannotBeReadAreTold) {
    TestMaildir maildir;
    (void)maildir.store();
    maildir.put("cur/1.a:2,Sa", "Subject: x\n\n");
    for (const char* name : {"dovecot-keywords", "subscriptions"})
        std::filesystem::create_directory(maildir.root() + "/" + name);
    log::open_capture();
    EXPECT_EQ((*maildir.inbox().open(Access::read_only))->count(), 1U);
    EXPECT_TRUE(maildir.store().subscriptions()->empty());
    const std::string told = log::take_captured();
    EXPECT_THAT(told, testing::HasSubstr("keywords are not taken over"));
    EXPECT_THAT(told, testing::HasSubstr("subscriptions are not taken over"));
}

}  // namespace
}  // namespace postern::mailbox
