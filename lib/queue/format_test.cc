#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/queue/directories.h"
#include "lib/queue/format.h"
#include "lib/queue/reader.h"
#include "lib/queue/writer.h"

namespace postern::queue {
namespace {

QueueId id_of(int n) { return QueueId::parse("4ABCDEFGHJ" + std::to_string(1000 + n)).value(); }

Envelope envelope_of(int n, int recipients = 2) {
    Envelope e;
    e.id = id_of(n);
    e.sender = "sender" + std::to_string(n) + "@client.test";
    e.arrival = WallTime(Micros(1'700'000'000'000'000 + n));
    e.flags = kHasDotLines | kBody8bit;
    e.set_attribute(attribute::kClientAddress, "192.0.2.1");
    e.set_attribute(attribute::kHelo, "a=b");
    for (int i = 0; i < recipients; ++i) {
        Recipient r;
        r.address = "r" + std::to_string(i) + "@example.test";
        if (i % 2 == 1)
            r.original = "alias@example.test", r.orcpt = "rfc822;alias@example.test",
            r.notify = kNotifyDelay;
        e.recipients.push_back(r);
    }
    return e;
}

// A folder of its own as the current place for paths.
class QueueFile : public ::testing::Test {
  protected:
    void SetUp() override {
        std::string name = ::testing::TempDir() + "queue_test.XXXXXX";
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        folder = name;
    }
    void TearDown() override {
        const auto entries = fs.list(folder).value();
        for (const auto& entry : entries) (void)fs.unlink(folder + "/" + entry.name);
        (void)fs.remove_directory(folder);
    }
    Fd file_with(const std::string& bytes) {
        Fd fd = fs.open(folder + "/file" + std::to_string(++files), O_RDWR | O_CREAT | O_EXCL, 0600)
                    .value();
        EXPECT_TRUE(fs.write(fd.get(), bytes));
        return fd;
    }

    sys::Fs& fs = sys::RealFs::instance();
    std::string folder;
    int files = 0;
};

std::string batch_of(int count) {
    BatchBuilder batch;
    for (int n = 0; n < count; ++n)
        batch.add(envelope_of(n), "Subject: " + std::to_string(n) + "\r\n\r\ntext\r\n");
    return std::move(batch).finish();
}

TEST_F(QueueFile, GivesBackWhatWasWritten) {
    for (const int count : {1, 2, 500}) {
        const Fd fd = file_with(batch_of(count));
        auto reader = Reader::open(fs, fd.get());
        ASSERT_TRUE(reader) << reader.error().what;
        ASSERT_EQ(reader->count(), static_cast<std::size_t>(count));
        for (int n = 0; n < count; ++n) {
            auto message = reader->message(static_cast<std::size_t>(n));
            ASSERT_TRUE(message) << message.error().what;
            const Envelope& e = message->envelope;
            EXPECT_EQ(e.id, id_of(n));
            EXPECT_EQ(e.sender, "sender" + std::to_string(n) + "@client.test");
            EXPECT_EQ(e.arrival, envelope_of(n).arrival);
            EXPECT_TRUE(e.has(kBody8bit));
            EXPECT_FALSE(e.has(kSmtpUtf8));
            EXPECT_EQ(e.attribute(attribute::kHelo), "a=b");
            EXPECT_EQ(e.attribute("no_such"), "");
            ASSERT_EQ(e.recipients.size(), 2U);
            EXPECT_EQ(e.recipients[0].shown_original(), "r0@example.test");
            EXPECT_EQ(e.recipients[1].shown_original(), "alias@example.test");
            EXPECT_EQ(e.recipients[1].orcpt, "rfc822;alias@example.test");
            EXPECT_EQ(e.recipients[1].notify, kNotifyDelay);
            EXPECT_EQ(fs.read_at(fd.get(), message->body.offset, message->body.size).value(),
                      "Subject: " + std::to_string(n) + "\r\n\r\ntext\r\n");
            EXPECT_TRUE(verify_body(fs, fd.get(), *message));
        }
    }
}

TEST_F(QueueFile, KeepsWhatWasExpanded) {
    Envelope e = envelope_of(1);
    Recipient list;
    list.address = "list@example.test";
    list.orcpt = "rfc822;list@example.test";
    list.notify = kNotifySuccess | kNotifyFailure;
    e.expanded = {list};
    BatchBuilder batch;
    batch.add(e, "text\r\n");
    const Fd fd = file_with(std::move(batch).finish());
    auto message = Reader::open(fs, fd.get())->message(0);
    ASSERT_TRUE(message) << message.error().what;
    ASSERT_TRUE(mark_done(fs, fd.get(), message->envelope.recipients[0].status_offset));
    message = Reader::open(fs, fd.get())->message(0);
    ASSERT_TRUE(message) << message.error().what;
    ASSERT_EQ(message->envelope.expanded.size(), 1U);
    EXPECT_EQ(message->envelope.expanded[0].address, "list@example.test");
    EXPECT_EQ(message->envelope.expanded[0].orcpt, list.orcpt);
    EXPECT_EQ(message->envelope.expanded[0].notify, list.notify);
    EXPECT_EQ(message->envelope.recipients.size(), 2U) << "it is nobody to deliver to";
}

TEST(NotifyOfMembers, LosesSuccess) {
    EXPECT_EQ(notify_of_members(0), 0);
    EXPECT_EQ(notify_of_members(kNotifyNever), kNotifyNever);
    EXPECT_EQ(notify_of_members(kNotifySuccess), kNotifyNever);
    EXPECT_EQ(notify_of_members(kNotifySuccess | kNotifyDelay), kNotifyDelay);
}

TEST_F(QueueFile, RemembersWhoIsDone) {
    const Fd fd = file_with(batch_of(3));
    const auto before = Reader::open(fs, fd.get())->message(1).value();
    ASSERT_TRUE(mark_done(fs, fd.get(), before.envelope.recipients[1].status_offset));
    const auto after = Reader::open(fs, fd.get())->message(1);
    ASSERT_TRUE(after) << after.error().what;
    EXPECT_FALSE(after->envelope.recipients[0].done);
    EXPECT_TRUE(after->envelope.recipients[1].done);
    EXPECT_EQ(after->envelope.remaining(), 1U);
}

TEST_F(QueueFile, EveryPrefixIsNotCommitted) {
    const std::string whole = batch_of(2);
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const Fd fd = file_with(whole.substr(0, size));
        const auto reader = Reader::open(fs, fd.get());
        ASSERT_FALSE(reader) << size;
        ASSERT_EQ(reader.error().code, Errc::closed) << size << ": " << reader.error().what;
    }
}

TEST_F(QueueFile, EveryChangedByteIsSeen) {
    const std::string whole = batch_of(2);
    std::vector<std::uint64_t> status;
    {
        const Fd fd = file_with(whole);
        const auto messages = Reader::open(fs, fd.get())->messages().value();
        for (const auto& m : messages)
            for (const auto& r : m.envelope.recipients) status.push_back(r.status_offset);
    }
    for (std::size_t at = 0; at < whole.size(); ++at) {
        std::string bytes = whole;
        bytes[at] = static_cast<char>(bytes[at] ^ 0x40);
        const Fd fd = file_with(bytes);
        bool seen = true;
        if (const auto reader = Reader::open(fs, fd.get())) {
            const auto messages = reader->messages();
            seen = !messages;
            if (messages)
                for (const auto& m : *messages) seen = seen || !verify_body(fs, fd.get(), m);
        }
        EXPECT_TRUE(seen) << "byte " << at;
    }
    EXPECT_EQ(status.size(), 4U);
}

TEST_F(QueueFile, AStreamedMessageReadsTheSame) {
    auto writer = StreamWriter::create(fs, folder + "/stream");
    ASSERT_TRUE(writer);
    std::string text;
    for (int i = 0; i < 5000; ++i) {
        const std::string line = "line " + std::to_string(i) + "\r\n";
        ASSERT_TRUE(writer->append(line));
        text += line;
    }
    auto fd = std::move(*writer).finish(envelope_of(7, 3000));
    ASSERT_TRUE(fd);
    const auto message = Reader::open(fs, fd->get())->message(0);
    ASSERT_TRUE(message) << message.error().what;
    EXPECT_EQ(message->body.size, text.size());
    EXPECT_EQ(fs.read_at(fd->get(), message->body.offset, text.size()).value(), text);
    EXPECT_EQ(message->envelope.recipients.size(), 3000U);
    EXPECT_TRUE(verify_body(fs, fd->get(), *message));
    EXPECT_FALSE(StreamWriter::create(fs, folder + "/stream")) << "never over an existing file";
}

TEST_F(QueueFile, ExtractTakesOneMessageWithItsRemainingRecipients) {
    const Fd fd = file_with(batch_of(3));
    auto message = Reader::open(fs, fd.get())->message(2).value();
    message.envelope.recipients[0].done = true;
    const std::string path = folder + "/out";
    auto out = extract(fs, fd.get(), message, message.envelope, path);
    ASSERT_TRUE(out) << out.error().what;
    const auto copy = Reader::open(fs, out->get())->message(0).value();
    EXPECT_EQ(copy.envelope.id, id_of(2));
    ASSERT_EQ(copy.envelope.recipients.size(), 1U);
    EXPECT_EQ(copy.envelope.recipients[0].address, "r1@example.test");
    EXPECT_EQ(fs.read_at(out->get(), copy.body.offset, copy.body.size).value(),
              "Subject: 2\r\n\r\ntext\r\n");
}

TEST_F(QueueFile, ExtractLeavesNothingOfADamagedMessage) {
    const Fd fd = file_with(batch_of(1));
    const auto message = Reader::open(fs, fd.get())->message(0).value();
    ASSERT_TRUE(fs.write_at(fd.get(), message.body.offset, "x"));
    const auto out = extract(fs, fd.get(), message, message.envelope, folder + "/out");
    ASSERT_FALSE(out);
    EXPECT_EQ(out.error().code, Errc::corrupt);
    EXPECT_FALSE(fs.info(folder + "/out"));
}

TEST(EnvelopeRecords, UnknownUpperCaseRecordsAreRefusedLowerCaseSkipped) {
    const std::string plain = format::encode_envelope(envelope_of(1));
    for (const auto& [type, fine] :
         {std::pair('z', true), std::pair('Z', false), std::pair('\0', false)}) {
        std::string bytes = std::string(1, type) + std::string("\2\0hi", 4) + plain;
        EXPECT_EQ(format::decode_envelope(bytes, 100).has_value(), fine) << type;
    }
}

TEST(EnvelopeRecords, EveryPrefixFails) {
    const std::string plain = format::encode_envelope(envelope_of(1));
    for (std::size_t size = 0; size < plain.size(); ++size) {
        std::string bytes = plain.substr(0, size);
        EXPECT_FALSE(format::decode_envelope(bytes, 16)) << size;
    }
    std::string longer = plain + "x";
    EXPECT_FALSE(format::decode_envelope(longer, 16));
}

TEST(Directories, PathsAndSubdirectories) {
    const QueueId id = QueueId::parse("4ABCDEFGHJk").value();
    EXPECT_EQ(path_of(Directory::incoming, id), "incoming/4ABCDEFGHJk");
    EXPECT_EQ(path_of(Directory::deferred, id), "deferred/k/4ABCDEFGHJk");
    EXPECT_EQ(parent_of(Directory::defer, id), "defer/k");
    EXPECT_EQ(parent_of(Directory::hold, id), "hold");
}

}  // namespace
}  // namespace postern::queue
