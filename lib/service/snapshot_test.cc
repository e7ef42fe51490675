#include "lib/service/snapshot.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace postern::service {
namespace {

config::Snapshot sample() {
    config::Snapshot snapshot;
    snapshot.directory = "/etc/postfix";
    snapshot.main_cf = "myhostname = mail.test\n";
    snapshot.master_cf = "smtp inet n - n - - smtpd\n";
    return snapshot;
}

Fd memory_file(std::string_view bytes) {
    Fd fd(::memfd_create("test", MFD_CLOEXEC));
    EXPECT_EQ(::write(fd.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    return fd;
}

TEST(Snapshot, ArrivesAsItWas) {
    for (const std::string& text : {std::string(), std::string("a = b\n"), std::string("x\0y\n", 4),
                                    std::string(300'000, 'x')}) {
        auto snapshot = sample();
        snapshot.main_cf = text;
        const auto read = read_snapshot(seal_snapshot(snapshot).value());
        ASSERT_TRUE(read) << text.size();
        EXPECT_EQ(read->directory, snapshot.directory);
        EXPECT_EQ(read->main_cf, text);
        EXPECT_EQ(read->master_cf, snapshot.master_cf);
    }
}

TEST(Snapshot, NobodyChangesIt) {
    const Fd sealed = seal_snapshot(sample()).value();
    EXPECT_EQ(::pwrite(sealed.get(), "x", 1, 0), -1);
    EXPECT_EQ(::ftruncate(sealed.get(), 0), -1);
    EXPECT_EQ(::ftruncate(sealed.get(), 1 << 20), -1);
    EXPECT_EQ(::mmap(nullptr, 1, PROT_READ | PROT_WRITE, MAP_SHARED, sealed.get(), 0), MAP_FAILED);
    EXPECT_TRUE(read_snapshot(Fd(::dup(sealed.get()))));
    EXPECT_TRUE(read_snapshot(Fd(::dup(sealed.get()))))
        << "each daemon reads it from its beginning";
}

TEST(Snapshot, NonsenseIsNotRead) {
    for (const char* text : {"", "x", "\n", "1 2\nabc", "1 2 3 4\nabcdefghij", "1 1 2\nabc",
                             "-1 1 1\nabc", "1 1 x\nabc", "18446744073709551615 1 1\nabc",
                             "1 18446744073709551615 18446744073709551615\nabc"}) {
        const auto read = read_snapshot(memory_file(text));
        ASSERT_FALSE(read) << text;
        EXPECT_EQ(read.error().code, Errc::corrupt) << text;
    }
    EXPECT_TRUE(read_snapshot(memory_file("0 0 0\n")));
    EXPECT_FALSE(read_snapshot(Fd()));
}

}  // namespace
}  // namespace postern::service
