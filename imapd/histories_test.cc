// Random histories: clients of every kind (plain, CONDSTORE, QRESYNC, IMAP4rev2, UIDONLY, NOTIFY)
// work on one mailbox, and each keeps its picture of it by what it is told alone. No number may be
// wrong at any time, none may move when it must not (RFC 3501 7.4.1, RFC 7162 3.2.10.2), and after
// a NOOP every picture is the mailbox. The seed stands in the trace of a failure.
#include <fstream>
#include <map>
#include <random>
#include <set>

#include "imapd/test_client.h"
#include "lib/imap/sequence_set.h"
#include "lib/mailbox/folder_lock.h"

namespace postern::imapd {
namespace {

using Flags = std::set<std::string>;
using Picture = std::map<std::uint32_t, Flags>;  // by UID

std::uint64_t number_at(const std::string& text, std::size_t at) {
    return std::strtoull(text.c_str() + at, nullptr, 10);
}

// The number behind the word, or nothing.
std::optional<std::uint64_t> number_behind(const std::string& line, const std::string& word) {
    const auto at = line.find(word);
    if (at == std::string::npos) return std::nullopt;
    return number_at(line, at + word.size());
}

// Of "... FLAGS (\Seen x) ..."; nothing where there are none. \Recent is one session's alone.
std::optional<Flags> flags_in(const std::string& line) {
    const auto at = line.find("FLAGS (");
    if (at == std::string::npos) return std::nullopt;
    Flags out;
    const std::string list = line.substr(at + 7, line.find(')', at) - at - 7);
    for (const auto& word : split_words(list, " "))
        if (word != "\\Recent") out.emplace(word);
    return out;
}

std::vector<std::uint32_t> uids_in(std::string_view set) {
    std::vector<std::uint32_t> out;
    for (const auto& range : split(set, ',')) {
        const auto parts = split_once(range, ':');
        const auto first = *parse_number<std::uint32_t>(parts ? parts->first : range);
        const auto last = parts ? *parse_number<std::uint32_t>(parts->second) : first;
        for (std::uint32_t uid = first; uid <= last; ++uid) out.push_back(uid);
    }
    return out;
}

enum class Kind : unsigned char { plain, condstore, qresync, rev2, uid_only, notify, delayed };

class Watcher {
  public:
    Watcher(const TempMaildir& maildir, Kind kind) : maildir_(maildir), kind_(kind) { connect(); }

    // A command and what comes of it: the whole answer.
    std::string run(const std::string& command) {
        const bool by_number = command.starts_with("FETCH") || command.starts_with("STORE") ||
                               command.starts_with("SEARCH");
        SCOPED_TRACE(cat({"client ", std::to_string(static_cast<int>(kind_)), ": ", command}));
        const std::string answer = (*client_)(command);
        heard_ += cat({"> ", command, "\n", answer});
        if (heard_.size() > 2000) heard_.erase(0, heard_.size() - 2000);
        // RFC 5530 3: COPY and FETCH of what others have expunged meanwhile
        EXPECT_THAT(answer, testing::AnyOf(HasSubstr("t OK"), HasSubstr("t NO [EXPUNGEISSUED]")));
        std::optional<std::uint64_t> code;
        std::uint64_t highest = 0;
        for (const auto& line : split(answer, '\n')) {
            hear(std::string(line), by_number && kind_ != Kind::notify);
            if (const auto told = number_behind(std::string(line), "[HIGHESTMODSEQ ")) code = told;
            if (const auto told = number_behind(std::string(line), "MODSEQ ("))
                highest = std::max(highest, *told);
        }
        // RFC 7162 6: what it takes for the last that it has heard of
        told_ = code ? *code : std::max(told_, highest);
        return answer;
    }

    // After a NOOP all is known.
    void expect(const Picture& truth) {
        run("NOOP");
        learn();
        SCOPED_TRACE(cat({"client ", std::to_string(static_cast<int>(kind_)), "\n", heard_}));
        EXPECT_EQ(list_.size(), truth.size());
        auto at = truth.begin();
        for (std::size_t i = 0; i < list_.size() && at != truth.end(); ++i, ++at) {
            EXPECT_EQ(list_[i].uid, at->first) << "number " << i + 1;
            EXPECT_EQ(list_[i].flags, at->second) << "UID " << at->first;
        }
    }

    // New messages are announced by their number: what they are, it asks.
    void learn() {
        if (known()) return;
        run(cat({"UID FETCH ", std::to_string(learned_ + 1), ":* (UID FLAGS)"}));
        if (known() && !list_.empty()) learned_ = std::max(learned_, list_.back().uid);
    }

    // The connection is lost, and it comes back with what it has (RFC 7162 3.2.5).
    void come_back() {
        if (kind_ != Kind::qresync || !known()) return;
        Picture picture;
        for (const Known& one : list_) picture[one.uid] = one.flags;
        client_.reset();
        client_ = std::make_unique<Client>(maildir_);
        (*client_)("ENABLE QRESYNC");
        const std::string answer =
            (*client_)(cat({"SELECT INBOX (QRESYNC (", std::to_string(validity_), " ",
                            std::to_string(told_), "))"}));
        EXPECT_THAT(answer, HasSubstr("t OK"));
        std::uint64_t count = 0;
        for (const auto& raw : split(answer, '\n')) {
            const std::string line(raw);
            if (line.find(" EXISTS") != std::string::npos) count = number_at(line, 2);
            if (line.starts_with("* VANISHED (EARLIER) "))
                for (const std::uint32_t uid : uids_in(trim(std::string_view(line).substr(21))))
                    picture.erase(uid);
            if (const auto uid = number_behind(line, " FETCH (UID "))
                picture[static_cast<std::uint32_t>(*uid)] = *flags_in(line);
            if (const auto told = number_behind(line, "[HIGHESTMODSEQ ")) told_ = *told;
        }
        EXPECT_EQ(picture.size(), count) << answer;
        list_.clear();
        for (const auto& [uid, flags] : picture) list_.push_back({uid, flags});
        learned_ = list_.empty() ? learned_ : std::max(learned_, list_.back().uid);
    }

    // A message that it knows: by number and by UID; 0: it knows none.
    struct Choice {
        std::size_t number = 0;
        std::uint32_t uid = 0;
    };
    Choice choose(std::mt19937& dice) const {
        if (list_.empty()) return {};
        const std::size_t i = dice() % list_.size();
        return {list_[i].uid == 0 ? 0 : i + 1, list_[i].uid};
    }
    bool may_hear_any_time() const { return kind_ == Kind::notify || kind_ == Kind::delayed; }
    bool has_numbers() const { return kind_ != Kind::uid_only && kind_ != Kind::notify; }
    std::uint32_t uid_of(std::size_t number) const { return list_.at(number - 1).uid; }
    std::size_t count() const { return list_.size(); }

  private:
    struct Known {
        std::uint32_t uid = 0;  // 0: not learned yet
        Flags flags;
    };

    bool known() const {
        return std::none_of(list_.begin(), list_.end(),
                            [](const Known& one) { return one.uid == 0; });
    }

    void connect() {
        client_ = std::make_unique<Client>(maildir_);
        if (kind_ == Kind::condstore) run("ENABLE CONDSTORE");
        if (kind_ == Kind::qresync) run("ENABLE QRESYNC");
        if (kind_ == Kind::rev2) run("ENABLE IMAP4rev2");
        if (kind_ == Kind::uid_only) run("ENABLE UIDONLY");
        const std::string selected = run("SELECT INBOX");
        validity_ = number_behind(selected, "[UIDVALIDITY ").value_or(0);
        if (kind_ == Kind::notify)
            run("NOTIFY SET (selected (MessageNew (UID FLAGS) MessageExpunge FlagChange))");
        if (kind_ == Kind::delayed)
            run("NOTIFY SET (selected-delayed (MessageNew MessageExpunge FlagChange))");
        learn();
    }

    void hear(const std::string& line, bool numbers_must_stay) {
        if (!line.starts_with("* ")) return;
        const auto number = static_cast<std::size_t>(number_at(line, 2));
        if (line.find(" EXISTS") != std::string::npos) {
            EXPECT_GE(number, list_.size()) << line;
            list_.resize(number);
        } else if (line.find(" EXPUNGE") != std::string::npos) {
            EXPECT_FALSE(numbers_must_stay) << line;
            EXPECT_TRUE(kind_ != Kind::qresync && kind_ != Kind::uid_only) << line;
            ASSERT_TRUE(number >= 1 && number <= list_.size()) << line;
            list_.erase(list_.begin() + static_cast<std::ptrdiff_t>(number - 1));
        } else if (line.starts_with("* VANISHED ")) {
            EXPECT_FALSE(numbers_must_stay) << line;
            for (const std::uint32_t uid : uids_in(trim(std::string_view(line).substr(11))))
                remove(uid);
        } else if (line.find(" FETCH (") != std::string::npos) {
            EXPECT_NE(kind_, Kind::uid_only) << line;
            ASSERT_TRUE(number >= 1 && number <= list_.size()) << line;
            note(list_[number - 1], line);
        } else if (line.find(" UIDFETCH (") != std::string::npos) {
            note_uid(static_cast<std::uint32_t>(number), line);
        }
    }

    void note(Known& known, const std::string& line) {
        if (const auto uid = number_behind(line, "UID ")) {
            if (known.uid != 0) {
                EXPECT_EQ(known.uid, *uid) << line;
            }
            known.uid = static_cast<std::uint32_t>(*uid);
        }
        if (auto flags = flags_in(line)) known.flags = *std::move(flags);
    }

    // Without numbers: one that was not known is one of those that were announced; these come last.
    void note_uid(std::uint32_t uid, const std::string& line) {
        auto at = std::find_if(list_.begin(), list_.end(),
                               [uid](const Known& one) { return one.uid == uid || one.uid == 0; });
        ASSERT_NE(at, list_.end()) << "there is no such message: " << line;
        at->uid = uid;
        if (auto flags = flags_in(line)) at->flags = *std::move(flags);
        std::sort(list_.begin(), list_.end(),
                  [](const Known& a, const Known& b) { return a.uid - 1 < b.uid - 1; });
    }

    // RFC 7162 3.2.10.2: only what the client has been told of
    void remove(std::uint32_t uid) {
        for (const std::uint32_t wanted : {uid, 0U})
            for (auto at = list_.begin(); at != list_.end(); ++at)
                if (at->uid == wanted) {
                    list_.erase(at);
                    return;
                }
        ADD_FAILURE() << "VANISHED " << uid << " was not there";
    }

    const TempMaildir& maildir_;
    Kind kind_;
    std::unique_ptr<Client> client_;
    std::vector<Known> list_;
    std::string heard_;          // of late
    std::uint32_t learned_ = 0;  // up to this UID it has asked
    std::uint64_t validity_ = 0, told_ = 0;
};

Picture truth_of(const TempMaildir& maildir) {
    Client c(maildir);
    c("EXAMINE INBOX");
    // IDLE looks at the files, also where a change by another program is as old as one of ours.
    c.send("i IDLE\r\nDONE\r\n");
    c.until("i OK");
    Picture out;
    const std::string answer = c("UID FETCH 1:* (FLAGS)");
    for (const auto& line : split(answer, '\n'))
        if (const auto uid = number_behind(std::string(line), " FETCH (UID "))
            out[static_cast<std::uint32_t>(*uid)] = *flags_in(std::string(line));
    return out;
}

class Histories : public SessionTest {
  protected:
    void play(unsigned seed, int steps);
    void step(Watcher& one, std::mt19937& dice);
    void step_by_number(Watcher& one, Watcher::Choice choice, std::mt19937& dice);
    void remove_a_file(std::mt19937& dice);
    void tear_the_log();
    int deliveries_ = 0;
};

const char* const kFlagNames[] = {"\\Seen", "\\Flagged", "\\Answered", "$a", "\\Deleted"};

void Histories::step_by_number(Watcher& one, Watcher::Choice choice, std::mt19937& dice) {
    const std::string number = std::to_string(choice.number);
    const std::string flag = kFlagNames[dice() % std::size(kFlagNames)];
    switch (dice() % 4) {
        case 0: one.run(cat({"FETCH ", number, ":* (UID FLAGS)"})); break;
        case 1:
            one.run(cat({"STORE ", number, dice() % 2 == 0 ? " +" : " -", "FLAGS (", flag, ")"}));
            break;
        case 2: one.run(cat({"SEARCH ", flag == "$a" ? "KEYWORD $a" : flag.substr(1)})); break;
        default: {
            // The numbers that the client knows when it asks, also where messages are gone. To one
            // with NOTIFY more may be on their way.
            const std::size_t known = one.count();
            const auto found = number_behind(one.run("SEARCH RETURN (COUNT) 1:*"), " COUNT ");
            EXPECT_TRUE(found == known || (one.may_hear_any_time() && found > known));
        }
    }
}

// What a user's script does.
void Histories::remove_a_file(std::mt19937& dice) {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(maildir.root() + "/cur"))
        files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    if (!files.empty()) std::filesystem::remove(files[dice() % files.size()]);
}

// What a crash leaves: the next who writes begins a new log.
void Histories::tear_the_log() {
    const auto lock =
        mailbox::FolderLock::take(sys::RealFs::instance(), maildir.root() + "/postern.lock");
    ASSERT_TRUE(lock) << lock.error().what;
    std::ofstream(maildir.root() + "/postern.log", std::ios::app) << "torn";
}

void Histories::step(Watcher& one, std::mt19937& dice) {
    one.learn();
    const auto choice = one.choose(dice);
    const std::string uid = std::to_string(choice.uid);
    const std::string flag = kFlagNames[dice() % std::size(kFlagNames)];
    const unsigned what = dice() % 16;
    if (choice.uid == 0 || what == 0) {
        one.run("APPEND INBOX {4+}\r\na: b");
    } else if (what == 1) {
        maildir.deliver(cat({std::to_string(++deliveries_), ".x.h"}), "a: b\n\nc\n");
    } else if (what == 2) {
        one.run("EXPUNGE");
    } else if (what == 3) {
        one.run(cat({"UID EXPUNGE ", uid, ":*"}));
    } else if (what == 4) {
        one.run(cat({"UID COPY ", uid, " INBOX"}));
    } else if (what == 5) {
        one.run(cat({"UID MOVE ", uid, " other"}));
    } else if (what == 6) {
        one.come_back();
    } else if (what == 7 && dice() % 4 == 0) {
        remove_a_file(dice);
    } else if (what == 7 && dice() % 2 == 0) {
        tear_the_log();
    } else if (what < 10) {
        one.run(cat({"UID STORE ", uid, dice() % 2 == 0 ? ":* +" : " -", "FLAGS (", flag, ")"}));
    } else if (what == 10 || !one.has_numbers()) {
        one.run(cat({"UID FETCH ", uid, " (FLAGS)"}));
    } else {
        step_by_number(one, choice, dice);
        if (dice() % 3 == 0) one.come_back();  // with expunges that it has not been told of
    }
}

void Histories::play(unsigned seed, int steps) {
    SCOPED_TRACE(cat({"seed ", std::to_string(seed)}));
    std::mt19937 dice(seed);
    {
        Client c(maildir);
        c("CREATE other");
        for (int i = 0; i < 8; ++i) c.append("INBOX", kPlain);
    }
    std::vector<std::unique_ptr<Watcher>> all;
    for (const Kind kind : {Kind::plain, Kind::condstore, Kind::qresync, Kind::qresync, Kind::rev2,
                            Kind::uid_only, Kind::notify, Kind::delayed})
        all.push_back(std::make_unique<Watcher>(maildir, kind));
    for (int i = 0; i < steps && !HasFailure(); ++i) {
        SCOPED_TRACE(cat({"step ", std::to_string(i)}));
        step(*all[dice() % all.size()], dice);
        if (i % 15 != 14) continue;
        const Picture truth = truth_of(maildir);
        for (const auto& one : all) one->expect(truth);
    }
}

TEST_F(Histories, OfManyClients1) { play(1, 300); }
TEST_F(Histories, OfManyClients2) { play(2, 300); }

// With a seed of one's own, for longer: POSTERN_SEED=17 imapd_test --gtest_filter=Histories.*
TEST_F(Histories, OfTheSeedThatIsGiven) {
    const char* seed = std::getenv("POSTERN_SEED");
    if (seed == nullptr) return play(3, 300);
    play(static_cast<unsigned>(std::strtoul(seed, nullptr, 10)), 2000);
}

}  // namespace
}  // namespace postern::imapd
