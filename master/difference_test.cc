#include "master/difference.h"

namespace postern::master {
namespace {

// As text: "-a" retire, "=b" keep, "~c" rebind, "+d" add.
std::string told(const std::vector<Outline>& running, const std::vector<Outline>& wanted) {
    const auto difference = compare(running, wanted);
    std::string out;
    for (const auto i : difference.retire) out += "-" + running[i].key + " ";
    for (const auto& [was, is] : difference.keep) {
        EXPECT_EQ(running[was].key, wanted[is].key);
        out += "=" + running[was].key + " ";
    }
    for (const auto& [was, is] : difference.rebind) {
        EXPECT_EQ(running[was].key, wanted[is].key);
        out += "~" + running[was].key + ":" + wanted[is].plan + " ";
    }
    for (const auto i : difference.add) out += "+" + wanted[i].key + " ";
    return out;
}

TEST(Difference, SaysWhatAReloadHasToDo) {
    const Outline smtp{"smtp/inet", "all:smtp"}, near{"smtp/inet", "127.0.0.1:smtp"},
        imap{"imap/inet", "all:imap"}, qmgr{"qmgr/unix", "public/qmgr"};
    const struct {
        const char* name;
        std::vector<Outline> running, wanted;
        std::string expected;
    } cases[] = {
        {"nothing", {}, {}, ""},
        {"first", {}, {smtp, qmgr}, "+smtp/inet +qmgr/unix "},
        {"last", {smtp, qmgr}, {}, "-smtp/inet -qmgr/unix "},
        {"the same", {smtp, qmgr}, {smtp, qmgr}, "=smtp/inet =qmgr/unix "},
        {"another order", {smtp, qmgr}, {qmgr, smtp}, "=smtp/inet =qmgr/unix "},
        {"another address", {smtp, qmgr}, {near, qmgr}, "=qmgr/unix ~smtp/inet:127.0.0.1:smtp "},
        {"all at once",
         {smtp, imap},
         {qmgr, near},
         "-imap/inet ~smtp/inet:127.0.0.1:smtp +qmgr/unix "},
        {"twice wanted: the first counts", {smtp}, {smtp, near}, "=smtp/inet "},
        {"twice wanted, other first", {smtp}, {near, smtp}, "~smtp/inet:127.0.0.1:smtp "},
        {"twice wanted, new", {}, {smtp, near}, "+smtp/inet "},
        {"twice running: one is too many", {smtp, smtp}, {smtp}, "-smtp/inet =smtp/inet "},
    };
    for (const auto& c : cases) EXPECT_EQ(told(c.running, c.wanted), c.expected) << c.name;
}

// Whatever changes: each running service is retired, kept or rebound, each wanted key is met once.
TEST(Difference, ForgetsNobody) {
    const std::vector<std::string> keys = {"a", "b", "c"};
    for (unsigned before = 0; before < 27; ++before) {
        for (unsigned after = 0; after < 27; ++after) {
            std::vector<Outline> running, wanted;
            unsigned b = before, a = after;
            for (const auto& key : keys) {  // per key: absent, plan 1, plan 2
                if (b % 3 != 0) running.push_back({key, std::to_string(b % 3)});
                if (a % 3 != 0) wanted.push_back({key, std::to_string(a % 3)});
                b /= 3;
                a /= 3;
            }
            const auto d = compare(running, wanted);
            EXPECT_EQ(d.retire.size() + d.keep.size() + d.rebind.size(), running.size());
            EXPECT_EQ(d.add.size() + d.keep.size() + d.rebind.size(), wanted.size());
            for (const auto& [was, is] : d.keep) EXPECT_EQ(running[was].plan, wanted[is].plan);
            for (const auto& [was, is] : d.rebind) EXPECT_NE(running[was].plan, wanted[is].plan);
        }
    }
}

}  // namespace
}  // namespace postern::master
