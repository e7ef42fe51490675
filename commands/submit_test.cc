#include <fcntl.h>

#include "commands/postcat_print.h"
#include "commands/sendmail_message.h"
#include "commands/sendmail_options.h"
#include "commands/submission.h"
#include "lib/queue/directories.h"
#include "lib/queue/envelope.h"
#include "lib/sys/file.h"
#include "tests/support/crash_fs.h"
#include "tests/support/faulty_fs.h"
#include "tests/support/temp_folder.h"

namespace postern::commands {
namespace {

using Mode = SendmailOptions::Mode;

SendmailOptions parsed(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "/usr/sbin/sendmail");
    auto options = parse_sendmail_options(std::move(arguments));
    EXPECT_TRUE(options) << (options ? "" : options.error().what);
    return options ? *options : SendmailOptions{};
}

TEST(SendmailOptions, WhatProgramsReallyCallItWith) {
    const SendmailOptions php = parsed({"-t", "-i", "-fwww@example.test"});
    EXPECT_TRUE(php.recipients_from_header);
    EXPECT_FALSE(php.dot_ends);
    EXPECT_EQ(php.envelope.sender, "www@example.test");
    const SendmailOptions cron = parsed({"-FCronDaemon", "-i", "-B8BITMIME", "-oem", "root"});
    EXPECT_EQ(cron.envelope.full_name, "CronDaemon");
    EXPECT_TRUE(cron.envelope.body_8bit);
    EXPECT_EQ(cron.envelope.recipients, std::vector<std::string>{"root"});
    const SendmailOptions mutt =
        parsed({"-oem", "-oi", "-f", "<me@here.test>", "-N", "success,delay", "-R", "hdrs", "-V",
                "my+id 1", "--", "-odd@x.test", "b@y.test"});
    EXPECT_FALSE(mutt.dot_ends);
    EXPECT_EQ(mutt.envelope.sender, "me@here.test");
    EXPECT_EQ(mutt.envelope.notify, queue::kNotifySuccess | queue::kNotifyDelay);
    EXPECT_EQ(mutt.envelope.ret, "hdrs");
    EXPECT_EQ(mutt.envelope.envid, "my+2Bid+201") << "xtext";
    EXPECT_EQ(mutt.envelope.recipients, (std::vector<std::string>{"-odd@x.test", "b@y.test"}));
    const SendmailOptions bounce = parsed({"-f", "<>", "-it"});
    EXPECT_TRUE(bounce.sender_given);
    EXPECT_EQ(bounce.envelope.sender, "");
    EXPECT_TRUE(bounce.recipients_from_header && !bounce.dot_ends);
    EXPECT_TRUE(parsed({"root", "-v"}).report);
    EXPECT_FALSE(parsed({"root", "-v", "-v"}).report);
    EXPECT_EQ(parsed({"-XV", "x"}).verp, "");
    EXPECT_EQ(parsed({"-XV-=", "x"}).verp, "-=");
    EXPECT_FALSE(parsed({"-X", "log", "x"}).verp);
    EXPECT_EQ(parsed({"-C", "/etc/other/main.cf", "x"}).config_directory, "/etc/other");
}

TEST(SendmailOptions, Modes) {
    const struct {
        std::vector<std::string> words;
        Mode mode;
        const char* argument;
    } cases[] = {{{"-bp"}, Mode::list_queue, ""},
                 {{"-bi"}, Mode::new_aliases, ""},
                 {{"-I"}, Mode::new_aliases, ""},
                 {{"-q"}, Mode::flush_queue, ""},
                 {{"-qI4ABC123"}, Mode::flush_message, "4ABC123"},
                 {{"-bd", "-q30m"}, Mode::start, ""},
                 {{"-qRexample.test"}, Mode::flush_site, "example.test"},
                 {{"-bs"}, Mode::stand_alone, ""},
                 {{"-bm", "x"}, Mode::submit, ""},
                 {{"-bi", "-oA/etc/other"}, Mode::new_aliases, "/etc/other"}};
    for (const auto& c : cases) {
        const SendmailOptions o = parsed(c.words);
        EXPECT_EQ(o.mode, c.mode) << c.words[0];
        EXPECT_EQ(o.argument, c.argument) << c.words[0];
    }
    EXPECT_EQ(parse_sendmail_options({"/usr/bin/mailq"})->mode, Mode::list_queue);
    EXPECT_EQ(parse_sendmail_options({"newaliases"})->mode, Mode::new_aliases);
}

TEST(SendmailOptions, Refusals) {
    for (const char* word :
         {"-z", "-f", "-bq", "-Nsometimes", "-Nnever,delay", "-Rsome", "-B9BIT", "-qX1", "-qI"})
        EXPECT_FALSE(parse_sendmail_options({"sendmail", word})) << word;
    EXPECT_EQ(parse_sendmail_options({"sendmail", "-z"}).error().what, "usage: sendmail [options]");
}

std::string converted(std::string_view text, bool dot_ends, std::size_t portion,
                      LineConverter::Crs crs = LineConverter::Crs::always) {
    LineConverter converter(dot_ends, crs);
    std::string out;
    for (std::size_t at = 0; at < text.size(); at += portion)
        converter.feed(text.substr(at, portion), out);
    converter.finish(out);
    return out;
}

// sendmail_fix_line_endings
TEST(LineConverter, CrsBeforeLineEnds) {
    using Crs = LineConverter::Crs;
    const struct {
        const char* in;
        Crs crs;
        const char* out;
    } cases[] = {
        {"a\r\nb\nc\r\r\n", Crs::always, "a\r\nb\r\nc\r\n"},
        {"a\r\nb\nc\r\n", Crs::as_first, "a\r\nb\r\nc\r\n"},
        {"a\nb\r\nc\r\n", Crs::as_first, "a\r\nb\r\r\nc\r\r\n"},
        {"a\r\nb\n", Crs::never, "a\r\r\nb\r\n"},
    };
    for (const auto& c : cases)
        for (const std::size_t portion : {1U, 2U, 100U})
            EXPECT_EQ(converted(c.in, false, portion, c.crs), c.out) << portion;
}

TEST(LineConverter, MakesWireForm) {
    const struct {
        const char* in;
        bool dot_ends;
        const char* out;
    } cases[] = {
        {"a\nb\n", true, "a\r\nb\r\n"},
        {"a\r\nb\r\r\n", true, "a\r\nb\r\n"},
        {"a\n.\nb\n", true, "a\r\n"},
        {"a\n.\nb\n", false, "a\r\n.\r\nb\r\n"},
        {"a\n..\n", true, "a\r\n..\r\n"},
        {"From me Mon Jan\n>From you\nTo: x\n\nFrom here\n", true, "To: x\r\n\r\nFrom here\r\n"},
        {"no end", true, "no end\r\n"},
        {".", true, ""},
        {"", true, ""},
        {"a\rb\n", true, "a\rb\r\n"},
    };
    for (const auto& c : cases)
        for (const std::size_t portion : {100U, 1U, 3U})
            EXPECT_EQ(converted(c.in, c.dot_ends, portion), c.out) << c.in;
}

TEST(HeaderRecipients, AreFoundAsSendmailFindsThem) {
    EXPECT_EQ(header_recipients("From: x@y\r\nTo: User <a@b.test>, root\r\ncc: "
                                "c@d.test\r\nBcc:\r\n e@f.test\r\n\r\nTo: no@body.test\r\n"),
              (std::vector<std::string>{"a@b.test", "root", "c@d.test", "e@f.test"}));
    EXPECT_EQ(header_recipients("To: a@b.test\r\nResent-To: c@d.test\r\n\r\n"),
              std::vector<std::string>{"c@d.test"});
    EXPECT_EQ(header_recipients("To: Friends: a@b.test, \"odd one\"@c.test;\r\n\r\n"),
              (std::vector<std::string>{"a@b.test", "\"odd one\"@c.test"}));
    EXPECT_TRUE(header_recipients("Subject: x\r\n\r\n").empty());
    EXPECT_EQ(parse_recipients("a@b.test, c"), (std::vector<std::string>{"a@b.test", "c"}));
    // More than the address parser takes at once; commas that part nothing stay where they are.
    std::string many;
    for (int i = 0; i < 12'000; ++i)
        many += cat({i % 3 == 0 ? "\"Doe, \\\" J\" (x, (y), z) <u" : "<u", std::to_string(i),
                     "@b.test>,\r\n "});
    many += "G: last@b.test, least@b.test;";
    const auto all = header_recipients(cat({"To: ", many, "\r\n\r\n"}));
    ASSERT_EQ(all.size(), 12'002U);
    for (std::size_t i = 0; i < 12'000; ++i)
        ASSERT_EQ(all[i], cat({"u", std::to_string(i), "@b.test"}));
    EXPECT_EQ(all.back(), "least@b.test");
    EXPECT_TRUE(has_whole_header("A: b\r\n\r\n"));
    EXPECT_FALSE(has_whole_header("A: b\r\n"));
}

Result<void> submit_one(sys::Fs& fs, std::string* id) {
    queue::MaildropWriter writer;
    TRY_ASSIGN(std::string bytes, writer.begin({.sender = "u", .recipients = {"r"}}));
    TRY_ASSIGN(MaildropFile file, MaildropFile::create(fs));
    TRY(file.write(bytes));
    TRY(file.write(writer.content("text\r\n")));
    TRY(file.write(writer.end()));
    TRY(file.commit(false));
    *id = file.id().str();
    return {};
}

bool is_complete(sys::Fs& fs, const std::string& id) {
    const auto fd = fs.open("maildrop/" + id, O_RDONLY, 0);
    return fd && queue::read_maildrop_envelope(fs, fd->get());
}

TEST(MaildropFile, IsLockedUntilItIsCommitted) {
    const support::TempFolder folder;
    support::RootedFs fs(folder.path());
    ASSERT_TRUE(queue::create_all(fs));
    auto file = MaildropFile::create(fs);
    ASSERT_TRUE(file);
    const Fd reader = fs.open("maildrop/" + file->id().str(), O_RDONLY, 0).value();
    EXPECT_FALSE(sys::try_lock(reader.get(), sys::LockKind::shared).value());
    ASSERT_TRUE(file->commit(false));
    EXPECT_TRUE(sys::try_lock(reader.get(), sys::LockKind::shared).value());
}

// pickup looks into new files, and holds their lock for that moment.
class NosyPickup : public support::RootedFs {
  public:
    NosyPickup(const std::string& root, int times) : RootedFs(root), times_(times) {}
    Result<Fd> open(const std::string& path, int flags, mode_t mode) override {
        TRY_ASSIGN(Fd fd, RootedFs::open(path, flags, mode));
        if ((flags & O_CREAT) == 0 || times_-- <= 0) return fd;
        TRY_ASSIGN(held_, RootedFs::open(path, O_RDONLY, 0));
        EXPECT_TRUE(sys::try_lock(held_.get(), sys::LockKind::exclusive).value());
        return fd;
    }

  private:
    int times_;
    Fd held_;
};

TEST(MaildropFile, TriesAnotherNameWhilePickupLooks) {
    const support::TempFolder folder;
    support::RootedFs plain(folder.path());
    ASSERT_TRUE(queue::create_all(plain));
    NosyPickup nine(folder.path(), 9), ten(folder.path(), 10);
    {
        const auto file = MaildropFile::create(nine);
        ASSERT_TRUE(file) << file.error().what;
        EXPECT_EQ(plain.list("maildrop")->size(), 1U) << "the others are gone";
    }
    const auto none = MaildropFile::create(ten);
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().code, Errc::temporary);
    EXPECT_TRUE(plain.list("maildrop")->empty());
}

TEST(MaildropFile, SucceedsOnlyWithTheWholeMessageOnDisk) {
    for (int n = 1;; ++n) {
        ASSERT_LT(n, 100);
        const support::TempFolder folder;
        support::RootedFs plain(folder.path());
        ASSERT_TRUE(queue::create_all(plain));
        support::FaultyFs fs(folder.path(), n);
        std::string id;
        const auto done = submit_one(fs, &id);
        EXPECT_EQ(plain.list("maildrop").value().size(), done ? 1U : 0U) << n;
        EXPECT_EQ(done.has_value(), done.has_value() && is_complete(plain, id));
        if (!fs.fired()) break;
        EXPECT_FALSE(done);
    }
}

TEST(MaildropFile, SurvivesACrashOnceAcknowledged) {
    const support::TempFolder folder;
    support::CrashFs fs(folder.path());
    ASSERT_TRUE(queue::create_all(fs));
    for (int i = 0; i < 3; ++i) {
        std::string id;
        ASSERT_TRUE(submit_one(fs, &id));
        fs.note(id);
    }
    const auto prepare = [](const std::string& disk) {
        support::RootedFs empty(disk);
        ASSERT_TRUE(queue::create_all(empty));
    };
    const auto look = [&](std::size_t n, const std::string& disk) {
        support::RootedFs after(disk);
        for (const std::string& id : fs.notes(n)) EXPECT_TRUE(is_complete(after, id)) << n;
    };
    fs.for_each_crash(prepare, look);
    EXPECT_GT(fs.for_each_reordering(prepare, look), 20U);
}

TEST(Postcat, BeginsAtAnOffset) {
    PostcatOptions options;
    options.header = options.body = true;
    const std::string text = "A: 1\r\nB: 2\r\n\r\nbody\r\nmore\r\n";
    const auto from = [&](std::uint64_t start) {
        options.start = start;
        return TextPrinter(options, 100).feed(text);
    };
    EXPECT_EQ(from(0), "A: 1\nB: 2\n\nbody\nmore\n");
    EXPECT_EQ(from(100), from(0));
    EXPECT_EQ(from(101), "B: 2\n\nbody\nmore\n");
    EXPECT_EQ(from(114), "body\nmore\n");
    EXPECT_EQ(from(1000), "");
}

TEST(Postcat, ShowsAnEnvelopeAsPostfixDoes) {
    queue::Message message;
    message.envelope.id = QueueId::parse("4ABCDEFGH").value();
    message.envelope.sender = "a@b.test";
    message.envelope.attributes = {
        {"client_name", "unknown"}, {"dsn_envelope_id", "QQ+2B1"}, {"dsn_ret_flags", "hdrs"}};
    message.envelope.recipients = {
        {.address = "c@d.test", .original = "", .orcpt = "rfc822;c+2Bx@d.test", .notify = 6},
        {.address = "e@d.test", .original = "alias", .orcpt = "", .notify = 0, .done = true}};
    message.body = {16, 891};
    const PostcatOptions all{true, true, true};
    const std::string text = show_envelope(all, "hold/4ABCDEFGH", message);
    EXPECT_TRUE(
        text.starts_with("*** ENVELOPE RECORDS hold/4ABCDEFGH ***\n"
                         "message_size:             891              16               2            "
                         "   0             891               0\n"
                         "message_arrival_time: "))
        << text;
    EXPECT_TRUE(
        text.ends_with("named_attribute: log_ident=4ABCDEFGH\nsender: a@b.test\nnamed_attribute: "
                       "client_name=unknown\n"
                       "named_attribute: envelope_id=QQ+1\nnamed_attribute: ret_flags=2\n"
                       "named_attribute: dsn_orig_rcpt=rfc822;c+x@d.test\n"
                       "named_attribute: notify_flags=6\noriginal_recipient: "
                       "c@d.test\nrecipient: c@d.test\n"
                       "original_recipient: alias\ndone_recipient: e@d.test\n"))
        << text;
    EXPECT_EQ(show_envelope({false, true, true}, "x", message), "");
}

TEST(Postcat, ShowsThePartsThatAreWanted) {
    const std::string text = "A: b\r\nC: d\r\n\r\nbody\r\n\r\nmore\r\n";
    const struct {
        bool header, body;
        const char* shown;
    } cases[] = {{true, true, "A: b\nC: d\n\nbody\n\nmore\n"},
                 {true, false, "A: b\nC: d\n"},
                 {false, true, "body\n\nmore\n"}};
    for (const auto& c : cases)
        for (const std::size_t portion : {100U, 1U}) {
            const PostcatOptions options{false, c.header, c.body};
            TextPrinter printer(options, 0);
            std::string shown;
            for (std::size_t at = 0; at < text.size(); at += portion)
                shown += printer.feed(std::string_view(text).substr(at, portion));
            EXPECT_EQ(shown, c.shown);
        }
    const PostcatOptions numbers{false, true, false, true, true};
    EXPECT_EQ(TextPrinter(numbers, 16).feed("A: b\r\nC: d\r\n\r\n"),
              "       16  78 A: b\n       22  78 C: d\n");
}

TEST(ExitStatus, TellsCallersWhatToDo) {
    EXPECT_EQ(exit_status({Errc::no_space, ""}), EX_TEMPFAIL);
    EXPECT_EQ(exit_status({Errc::denied, ""}), EX_NOPERM);
    EXPECT_EQ(exit_status({Errc::permanent, ""}), EX_DATAERR);
}

}  // namespace
}  // namespace postern::commands
