// mbox files, Maildirs of other servers, and the way back.
#include "lib/mailbox/transfer.h"

#include <bit>
#include <cerrno>

#include "lib/base/strings.h"
#include "lib/mailbox/foreign.h"
#include "lib/mailbox/mbox_text.h"
#include "lib/mailbox/test_folder.h"
#include "tests/support/faulty_fs.h"

namespace postern::mailbox {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::string kMbox =
    "From a@x.example Wed Jul 17 02:23:25 1996\n"
    "Subject: one\nStatus: RO\nX-Status: AF\nX-Keywords: Work bad(\nX-UID: 5\n  folded\n\n"
    "body\n>From here\n>>From there\nFrom there\n\n"
    "From b@x.example Thu Jan  1 00:00:07 1970\r\nSubject: two\r\n\r\nlast\r\n";

TEST(Mbox, IsCutIntoMessages) {
    MboxReader reader(kMbox);
    EXPECT_TRUE(reader.is_mbox());
    const auto one = reader.next();
    ASSERT_TRUE(one);
    EXPECT_EQ(one->text, "Subject: one\n\nbody\nFrom here\n>From there\nFrom there\n");
    EXPECT_EQ(one->flags, kSeen | kAnswered | kFlagged);
    EXPECT_THAT(one->keywords, ElementsAre("Work"));
    EXPECT_EQ(one->date, 837570205);
    const auto two = reader.next();
    ASSERT_TRUE(two);
    EXPECT_EQ(two->text, "Subject: two\n\nlast\n");
    EXPECT_EQ(two->date, 7);
    EXPECT_FALSE(reader.next());
    EXPECT_TRUE(MboxReader("").is_mbox());
    EXPECT_FALSE(MboxReader("Subject: x\n").is_mbox());
    EXPECT_FALSE(MboxReader("Subject: x\n").next());
    EXPECT_EQ(MboxReader("From ").next()->text, "");
}

TEST(Mbox, GoesRound) {
    for (const char* text :
         {"Subject: x\n\nFrom a\n>From b\n\n", "Subject: only a header\n\n", "A: b\n c\n\nbody"}) {
        MboxMessage message;
        message.text = text;
        message.flags = kSeen | kDraft | kDeleted;
        message.keywords = {"Work", "$Junk"};
        message.date = 837570205;
        const std::string mbox = to_mbox(message);
        EXPECT_THAT(mbox, testing::StartsWith("From MAILER-DAEMON Wed Jul 17 02:23:25 1996\n"));
        const std::string twice = mbox + mbox;
        MboxReader reader(twice);
        for (int i = 0; i < 2; ++i) {
            const auto back = reader.next();
            ASSERT_TRUE(back);
            EXPECT_EQ(back->text,
                      std::string(text).ends_with('\n') ? text : text + std::string("\n"));
            EXPECT_EQ(back->flags, message.flags);
            EXPECT_EQ(back->keywords, message.keywords);
            EXPECT_EQ(back->date, message.date);
        }
    }
}

TEST(Transfer, MboxInAndOut) {
    TestMaildir maildir;
    Store store = maildir.store();
    const std::string file = maildir.root() + "/in.mbox";
    maildir.put("in.mbox", kMbox);
    EXPECT_EQ(import_mbox(store, "Old.Mail", file).value(), 2U);
    const auto view = store.mailbox("Old.Mail").value().open(Access::read_only).value();
    EXPECT_EQ(view->count(), 2U);
    EXPECT_EQ(view->internal_date(1).value(), 837570205);
    EXPECT_EQ(view->message(1).flags.system, kSeen | kAnswered | kFlagged);
    std::string out;
    const auto write = [&](std::string_view bytes) -> Result<void> {
        out += bytes;
        return {};
    };
    EXPECT_EQ(export_mbox(store, "Old.Mail", write).value(), 2U);
    EXPECT_THAT(out,
                HasSubstr("X-Keywords: Work\n\nbody\n>From here\n>>From there\n>From there\n"));
    maildir.put("in.mbox", "no mbox\n");
    EXPECT_EQ(import_mbox(store, "x", file).error().code, Errc::invalid);
    EXPECT_EQ(import_mbox(store, "x", file + "-missing").error().code, Errc::not_found);
    EXPECT_FALSE(export_mbox(store, "missing", write));
}

TEST(Transfer, WhatIsExpungedMeanwhileIsNotExported) {
    TestMaildir maildir;
    const Store store = maildir.store();
    for (const char* name : {"1.a.h:2,", "2.b.h:2,", "3.c.h:2,"})
        maildir.put(std::string("cur/") + name, std::string("Subject: ") + name[2] + "\n\n");
    std::string out;
    const auto write = [&](std::string_view bytes) -> Result<void> {
        out += bytes;
        maildir.remove("cur/2.b.h:2,");
        return {};
    };
    EXPECT_EQ(export_mbox(store, "INBOX", write).value(), 2U);
    EXPECT_THAT(out, HasSubstr("Subject: a\n"));
    EXPECT_THAT(out, HasSubstr("Subject: c\n"));
    const auto full = [](std::string_view) -> Result<void> { return Error{Errc::no_space, "x"}; };
    EXPECT_FALSE(export_mbox(store, "INBOX", full));
}

TEST(Transfer, AMaildirComesWithItsUids) {
    TestMaildir source, target;
    source.store().create("Sent.2026").value();
    source.put("cur/100.M2P1.h:2,Sa", "a\n\nx\n");
    source.put(".Sent.2026/new/101.M2P1.h", "b\n\nx\n");
    source.put("dovecot-uidlist", "3 V1234 N90 Gaa\n7 :100.M2P1.h\n");
    source.put("dovecot-keywords", "0 $Junk\n");
    source.put(".Sent.2026/dovecot-uidlist", "3 V55 N3 Gaa\n2 :101.M2P1.h\n");
    source.put("subscriptions", "Sent.2026\n");
    const auto before = source.files("cur");
    Store store = target.store();
    const auto done = import_maildir(store, source.root()).value();
    EXPECT_EQ(done.messages, 2U);
    EXPECT_EQ(done.folders, 2U);
    EXPECT_EQ(done.renumbered, 0U);
    const auto inbox = target.inbox().open(Access::read_only).value();
    EXPECT_EQ(inbox->uid_validity(), 1234U);
    EXPECT_THAT(uids_of(*inbox), ElementsAre(7));
    EXPECT_EQ(inbox->message(1).flags.keywords, 2U);
    const auto sent = store.mailbox("Sent.2026").value().open(Access::read_only).value();
    EXPECT_EQ(sent->uid_validity(), 55U);
    EXPECT_THAT(uids_of(*sent), ElementsAre(2));
    EXPECT_THAT(store.subscriptions().value(), ElementsAre("Sent.2026"));
    EXPECT_EQ(source.files("cur"), before);
    // Once more: what is here does not come again, and what is new has a new UID.
    source.put("cur/102.M2P1.h,S=5,W=7:2,Fa", "c\n\nx\n");
    for (const std::size_t expected : {1U, 0U}) {
        const auto more = import_maildir(store, source.root()).value();
        EXPECT_EQ(more.messages, expected);
        EXPECT_EQ(more.renumbered, expected);
        EXPECT_EQ(more.present, 3U - expected);
    }
    const auto again = target.inbox().open(Access::read_only).value();
    EXPECT_THAT(uids_of(*again), ElementsAre(7, 90));
    EXPECT_EQ(again->message(2).flags.keywords, 2U);
    EXPECT_EQ(again->message(2).flags.system, kFlagged);
    EXPECT_EQ(import_maildir(store, source.root() + "/missing").error().code, Errc::not_found);
}

// Whatever fails the first time: the second time brings the rest, and nothing twice.
TEST(Transfer, AnImportThatWasInterruptedGoesOn) {
    TestMaildir source;
    source.store().create("Sent").value();
    for (const char* name : {"100.M2P1.h:2,Sa", "101.M2P1.h,S=5:2,", "102.M2P1.h:2,"})
        source.put(std::string("cur/") + name, std::string("a\n\n") + name[2] + "\n");
    source.put(".Sent/new/103.M2P1.h", "b\n\nx\n");
    source.put("dovecot-uidlist",
               "3 V1234 N90 Gaa\n7 :100.M2P1.h\n8 :101.M2P1.h,S=5\n12 :102.M2P1.h\n");
    source.put("dovecot-keywords", "0 $Junk\n");
    source.put(".Sent/dovecot-uidlist", "3 V55 N3 Gaa\n2 :103.M2P1.h\n");
    for (int n = 1;; ++n) {
        TestMaildir target;
        support::FaultyFs faulty(target.root(), n, ENOSPC, support::FaultyFs::After::stays_broken);
        if (auto store = Store::open(target.root(), faulty))
            (void)import_maildir(*store, source.root()).has_value();
        support::RootedFs sound(target.root());
        Store store = Store::open(target.root(), sound).value();
        const auto done = import_maildir(store, source.root());
        ASSERT_TRUE(done) << n << done.error().what;
        EXPECT_EQ(done->messages + done->present, 4U) << n;
        EXPECT_EQ(done->renumbered, 0U) << n;
        const auto inbox = store.mailbox("INBOX")->open(Access::read_only).value();
        EXPECT_EQ(inbox->uid_validity(), 1234U) << n;
        EXPECT_THAT(uids_of(*inbox), ElementsAre(7, 8, 12)) << n;
        EXPECT_EQ(inbox->message(1).flags.keywords, 2U) << n;
        const auto sent = store.mailbox("Sent")->open(Access::read_only).value();
        EXPECT_THAT(uids_of(*sent), ElementsAre(2)) << n;
        if (!faulty.fired()) break;
    }
}

TEST(Transfer, AnMboxComesAsAWholeOrNotAtAll) {
    TestMaildir maildir;
    const std::string file = maildir.root() + "/in.mbox";
    (void)maildir.store();
    maildir.put("in.mbox", kMbox);
    for (int n = 1;; ++n) {
        const std::string folder = "f" + std::to_string(n);
        support::FaultyFs faulty(maildir.root(), n);
        Store store = Store::open(maildir.root(), faulty).value();
        const auto done = import_mbox(store, folder, file);
        if (!faulty.fired()) break;
        const bool is_there = std::filesystem::exists(cat({maildir.root(), "/.", folder, "/new"}));
        EXPECT_EQ(is_there ? maildir.files(cat({".", folder, "/new"})).size() : 0, done ? 2U : 0U)
            << n;
    }
}

TEST(Transfer, DovecotGetsAListOfAll) {
    TestMaildir maildir, copy;
    Store store = maildir.store();
    const AppendMessage messages[] = {append_text("a\n\n", kSeen, {"Work", "$Junk"}),
                                      append_text("b\n\n", 0, {"$Forwarded"}),
                                      append_text("c\n\n")};
    ASSERT_TRUE(maildir.inbox().append(messages));
    store.subscribe("Sent.x").value();
    EXPECT_EQ(export_for_dovecot(store).value(), 3U);
    const auto uids = parse_dovecot_uidlist(maildir.text("dovecot-uidlist"));
    ASSERT_TRUE(uids);
    EXPECT_EQ(uids->messages.size(), 3U);
    EXPECT_EQ(maildir.text("dovecot-keywords"), "0 $Forwarded\n1 Work\n2 $Junk\n");
    EXPECT_EQ(maildir.text("subscriptions"), "V\t2\n\nSent\tx\n");
    const auto view = maildir.inbox().open(Access::read_only).value();
    EXPECT_EQ(view->count(), 3U);
    EXPECT_EQ(view->uid_validity(), uids->validity);
    // A copy without our own files is the same mailbox
    Store other = copy.store();
    for (const char* file : {"postern.uids", "postern.log", "postern.index"}) maildir.remove(file);
    EXPECT_EQ(import_maildir(other, maildir.root()).value().renumbered, 0U);
    const auto back = copy.inbox().open(Access::read_only).value();
    EXPECT_EQ(uids_of(*back), uids_of(*view));
    EXPECT_EQ(back->uid_validity(), view->uid_validity());
    for (std::uint32_t seq = 1; seq <= 3; ++seq) {
        EXPECT_EQ(back->message(seq).flags.system, view->message(seq).flags.system) << seq;
        EXPECT_EQ(std::popcount(back->message(seq).flags.keywords),
                  std::popcount(view->message(seq).flags.keywords))
            << seq;
    }
}

}  // namespace
}  // namespace postern::mailbox
