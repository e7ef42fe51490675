// For the tests of this folder: a temporary Maildir, a session in a thread of its own, and a client
// of it.
#pragma once

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <thread>

#include "imapd/session.h"
#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "tests/support/dialogue.h"

namespace postern::imapd {

class TempMaildir {
  public:
    TempMaildir() {
        std::string pattern =
            (std::filesystem::temp_directory_path() / "postern-imapd-XXXXXX").string();
        parent_ = ::mkdtemp(pattern.data());
    }
    ~TempMaildir() { std::filesystem::remove_all(parent_); }
    TempMaildir(const TempMaildir&) = delete;
    TempMaildir& operator=(const TempMaildir&) = delete;
    std::string root() const { return parent_ + "/Maildir"; }
    // What a delivery by another program does.
    void deliver(const std::string& name, const std::string& text) const {
        std::ofstream(root() + "/tmp/" + name) << text;
        std::filesystem::rename(root() + "/tmp/" + name, root() + "/new/" + name);
    }

  private:
    std::string parent_;
};

// One session in a thread of its own, and the client's end of it.
class Client {
  public:
    explicit Client(const TempMaildir& maildir, Options options = {}, std::string pending = {},
                    mailbox::QuotaLimits quota = {})
        : Client(store_of(maildir, quota), std::move(options), std::move(pending)) {}
    Client(mailbox::Store own, Options options, std::string pending = {}) {
        int ends[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
        socket_ = Fd(ends[0]);
        const timeval limit{30, 0};
        ::setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        server_ =
            std::thread([this, fd = ends[1], options, pending, store = std::move(own)]() mutable {
                Connection connection(Fd(fd), pending);
                Session session(connection, store, options);
                reason_ = session.run("t0");
                connection.close();
                session.finish_work();
            });
        greeting_ = until("t0");
    }
    ~Client() { finish(); }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    std::string finish() {
        ::shutdown(socket_.get(), SHUT_WR);
        if (server_.joinable()) server_.join();
        return reason_;
    }

    void send(std::string_view bytes) {
        EXPECT_EQ(::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
                  static_cast<ssize_t>(bytes.size()));
    }

    // A line with CRLF; "" at the end of input or after thirty seconds.
    std::string line() {
        for (;;) {
            const auto at = in_.find('\n');
            if (at != std::string::npos) {
                std::string out = in_.substr(0, at + 1);
                in_.erase(0, at + 1);
                return out;
            }
            const std::string more = received();
            if (more.empty()) return "";
            in_ += more;
        }
    }

    // Whatever comes next; "" at the end of input.
    std::string some() {
        if (!in_.empty()) return std::exchange(in_, "");
        return received();
    }

    // Everything up to and with the line that begins with the word.
    std::string until(const std::string& word) {
        std::string out;
        for (;;) {
            const std::string one = line();
            out += one;
            if (one.empty() || one.starts_with(word)) return out;
        }
    }

    // Sends a command under a fresh tag; the tag in the answer reads "t".
    std::string operator()(std::string_view command) {
        const std::string tag = "t" + std::to_string(++tags_);
        send(tag + " " + std::string(command) + "\r\n");
        std::string answer = until(tag + " ");
        const auto at = answer.rfind(tag + " ");
        if (at != std::string::npos) answer.replace(at, tag.size(), "t");
        return answer;
    }

    std::string append(const std::string& mailbox, const std::string& text,
                       const std::string& rest = "") {
        return (*this)("APPEND " + mailbox + " " + rest + "{" + std::to_string(text.size()) +
                       "+}\r\n" + text);
    }

    // Plays an example of an RFC; see tests/support/dialogue.h.
    void play(std::string_view script) {
        const bool as_printed = dialogue_.play(
            script, [this](std::string_view bytes) { send(bytes); }, [this] { return line(); });
        if (as_printed) {
            EXPECT_EQ(in_, "") << "after the last line of the script";
        }
    }
    // What a name in the scripts stands for.
    std::string& value(const std::string& name) { return dialogue_.values[name]; }
    void forget(const std::string& name) { dialogue_.values.erase(name); }

    const std::string& greeting() const { return greeting_; }

  private:
    static mailbox::Store store_of(const TempMaildir& maildir, mailbox::QuotaLimits quota) {
        auto store = mailbox::Store::open(maildir.root());
        EXPECT_TRUE(store.has_value());
        store->set_quota(quota);
        return *std::move(store);
    }

    // What has come, or comes within thirty seconds, whatever signals come meanwhile.
    std::string received() {
        char chunk[65536];
        ssize_t count = 0;
        do {
            count = ::recv(socket_.get(), chunk, sizeof chunk, 0);
        } while (count < 0 && errno == EINTR);
        return {chunk, static_cast<std::size_t>(std::max<ssize_t>(count, 0))};
    }

    Fd socket_;
    std::thread server_;
    std::string reason_;
    std::string in_;
    std::string greeting_;
    int tags_ = 0;
    support::Dialogue dialogue_;
};

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const std::string kPlain =
    "Date: Wed, 17 Jul 1996 02:23:25 -0700\r\nFrom: Terry Gray <gray@cac.example>\r\nSubject: "
    "first\r\n"
    "To: imap@cac.example\r\nMessage-Id: <1@cac.example>\r\n\r\nbody one\r\nline two\r\n";
const std::string kMime =
    "From: b@x.example\r\nSubject: =?utf-8?q?J=C3=BCrgen?=\r\nContent-Type: multipart/mixed; "
    "boundary=b\r\n\r\n"
    "--b\r\n\r\npart one\r\n--b\r\nContent-Type: text/plain; charset=iso-8859-1\r\n"
    "Content-Transfer-Encoding: base64\r\n\r\nR3L832Vu\r\n--b--\r\n";

class SessionTest : public testing::Test {
  protected:
    void SetUp() override { log::open_capture(); }
    // So many messages, by one APPEND.
    void fill(int count, const std::string& flags = "", const std::string& mailbox = "INBOX") {
        Client c(maildir);
        const std::string one =
            cat({" ", flags, "{", std::to_string(kPlain.size()), "+}\r\n", kPlain});
        std::string command = "APPEND " + mailbox;
        for (int i = 0; i < count; ++i) command += one;
        EXPECT_THAT(c(command), StartsWith("t OK"));
    }
    TempMaildir maildir;
};

}  // namespace postern::imapd
