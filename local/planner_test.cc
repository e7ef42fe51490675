#include "local/planner.h"

#include <unistd.h>

#include <fstream>

#include "lib/log/log.h"

#include "local/intention.h"

namespace postern::local {
namespace {

Options base(std::string aliases) {
    Options o;
    o.myhostname = "here.test";
    o.completion = {"here.test", "here.test", true, false};
    o.classes.mydestination = "here.test localhost";
    o.recipient_delimiter = "+";
    o.alias_maps = aliases.empty() ? "" : "inline:{" + aliases + "}";
    return o;
}

std::string shown(const Plan& plan) {
    switch (plan.kind) {
        case PlanKind::user:
            return "user " + plan.user + " " + plan.address +
                   (plan.owner.empty() ? "" : " from " + plan.owner);
        case PlanKind::mailbox:
            return "mailbox " + plan.path + " " + std::to_string(plan.uid) + ":" +
                   std::to_string(plan.gid);
        case PlanKind::refuse:
        case PlanKind::defer: return plan.status + " " + plan.text;
        case PlanKind::forward: break;
    }
    std::string out = "forward";
    for (const auto& address : plan.forwards) out += " " + address;
    for (const auto& order : plan.orders)
        out += " [" + order.text + (order.origin == Origin::include ? "] of include" : "]");
    if (!plan.user.empty()) out += " and " + plan.user;
    return out + (plan.owner.empty() ? "" : " from " + plan.owner);
}

std::string plan(const Options& options, std::string_view address) {
    log::open_capture();
    return shown(Planner(options).plan(address));
}

TEST(Planner, FindsTheUser) {
    const auto o = base("");
    EXPECT_EQ(plan(o, "U1@here.test"), "user u1 U1@here.test");
    EXPECT_EQ(plan(o, "u1+box@here.test"), "user u1 u1+box@here.test");
    EXPECT_EQ(plan(o, "\"john doe\"@here.test"), "user john doe \"john doe\"@here.test");
}

TEST(Planner, FollowsAliases) {
    const auto o = base(
        "postmaster=root, root=u1, far=me@far.test, {team=u1, u2@here.test, x@far.test}, "
        "{u3=\\u3}, {u6=\\u6, |vacation}, "
        "{u4=u4, copy@far.test}, {u5=\\u5, copy@far.test}, a=b, b=a, {list=x@far.test, "
        "y@far.test}, "
        "owner-list=boss@far.test, one=u1, owner-one=u2, plus+x=u9");
    EXPECT_EQ(plan(o, "postmaster@here.test"), "user u1 u1@here.test");
    EXPECT_EQ(plan(o, "Postmaster+x@here.test"), "user u1 u1@here.test");
    EXPECT_EQ(plan(o, "far@here.test"), "forward me@far.test");
    EXPECT_EQ(plan(o, "team@here.test"), "forward u1@here.test u2@here.test x@far.test");
    EXPECT_EQ(plan(o, "u3@here.test"), "user u3 u3@here.test");
    EXPECT_EQ(plan(o, "u4@here.test"), "forward copy@far.test and u4");
    EXPECT_EQ(plan(o, "u5@here.test"), "forward copy@far.test and u5");
    EXPECT_THAT(plan(o, "u6@here.test"), testing::EndsWith(" and u6"));
    EXPECT_EQ(plan(o, "a@here.test"), "user a a@here.test");
    EXPECT_EQ(plan(o, "list@here.test"), "forward x@far.test y@far.test from owner-list@here.test");
    EXPECT_EQ(plan(o, "one@here.test"), "user u1 u1@here.test from owner-one@here.test");
    EXPECT_EQ(plan(o, "plus+x@here.test"), "user u9 u9@here.test");
    EXPECT_EQ(plan(o, "plus@here.test"), "user plus plus@here.test");
    auto expanded = o;
    expanded.expand_owner_alias = true;
    EXPECT_EQ(plan(expanded, "list@here.test"), "forward x@far.test y@far.test from boss@far.test");
    auto nested = base("outer=inner, owner-outer=boss@far.test, {inner=x@far.test, y@far.test}");
    EXPECT_EQ(plan(nested, "outer@here.test"),
              "forward x@far.test y@far.test from owner-outer@here.test");
    nested.reset_owner_alias = true;
    EXPECT_EQ(plan(nested, "outer@here.test"), "forward x@far.test y@far.test");
}

TEST(Planner, TellsWhichAliasesItFollowed) {
    const auto o = base("x=y, {y=u1, far@far.test}, one=u1, a=b, b=a, self=self");
    Planner planner(o);
    const auto followed = [&](std::string_view address) {
        const Plan plan = planner.plan(address);
        return cat({join(plan.followed, " "), ": ", expansion(plan)});
    };
    EXPECT_EQ(followed("u1@here.test"), ": ");
    EXPECT_EQ(followed("x@here.test"), "x y: <u1@here.test>, <far@far.test>, by way of y");
    EXPECT_EQ(followed("One@here.test"), "one: the mailbox of u1");
    EXPECT_EQ(followed("a@here.test"), "a b a: itself: a, b, a");
    EXPECT_EQ(followed("self@here.test"), "self self: itself: self, self");
}

TEST(Planner, FindsCommandsAndFiles) {
    const auto o =
        base("{c=\"|prog x\"}, f=/var/mail/file, {l=u1, \"|a, b\", /x/, y@far.test}, d=c");
    EXPECT_EQ(plan(o, "c@here.test"), "forward [|prog x]");
    EXPECT_EQ(plan(o, "d@here.test"), "forward [|prog x]");
    EXPECT_EQ(plan(o, "f@here.test"), "forward [/var/mail/file]");
    EXPECT_EQ(plan(o, "l@here.test"), "forward u1@here.test y@far.test [|a, b] [/x/]");
    // Which table it stood in, and who owns the include file, decide whose rights it has.
    const std::string path = testing::TempDir() + "/planner-orders";
    std::ofstream(path) << "|prog y\n";
    auto two = base("");
    two.alias_maps = "inline:{a=u1} inline:{{b=\"|prog z\"}, i=:include:" + path + "}";
    Planner planner(two);
    const auto from_alias = planner.plan("b@here.test"), from_include = planner.plan("i@here.test");
    ASSERT_EQ(from_alias.orders.size(), 1u);
    EXPECT_EQ(from_alias.orders[0].origin, Origin::alias);
    EXPECT_EQ(from_alias.orders[0].table, 1u);
    ASSERT_EQ(from_include.orders.size(), 1u);
    EXPECT_EQ(from_include.orders[0].origin, Origin::include);
    EXPECT_EQ(from_include.orders[0].owner, geteuid());
}

TEST(Planner, KnowsOfOtherAgents) {
    auto o = base("a=u1");
    o.runner.forward_filter = "abcdefghijklmnopqrstuvwxyz0123456789@.+";
    o.mailbox_transport = "lmtp:unix:private/lda";
    o.mailbox_transport_maps = "inline:{u2=box:}";
    o.mailbox_command_maps = "inline:{{u1=/usr/bin/procmail -a x}}";
    o.fallback_transport = "old:";
    o.luser_relay = "catch+$local";
    Planner planner(o);
    const auto first = planner.plan("a+x@here.test"), second = planner.plan("U2@here.test");
    EXPECT_EQ(first.transport, "lmtp:unix:private/lda");
    EXPECT_EQ(first.command, "/usr/bin/procmail -a x");
    EXPECT_EQ(first.fallback, "old:");
    EXPECT_EQ(first.luser, "catch+u1@here.test");
    EXPECT_EQ(second.transport, "box:");
    EXPECT_EQ(second.command, "");
    o.luser_relay = "$user@far.test";
    EXPECT_EQ(Planner(o).plan("no+x@here.test").luser, "no@far.test");
    o.mailbox_transport_maps = "hash:/nonexistent/transports";
    EXPECT_EQ(plan(o, "u1@here.test"), "4.3.0 mailbox lookup table unavailable");
}

TEST(Planner, ReadsIncludeFiles) {
    const std::string path = testing::TempDir() + "/planner-members";
    std::ofstream(path) << "# members\nx@far.test,\n y@far.test\nz@far.test\n";
    EXPECT_EQ(plan(base("list=:include:" + path), "list@here.test"),
              "forward x@far.test y@far.test z@far.test");
    EXPECT_EQ(plan(base("list=:include:/nonexistent/list"), "list@here.test"),
              "4.3.0 alias database unavailable");
    std::ofstream(path) << ":include:" << path << "\n";
    EXPECT_EQ(plan(base("list=:include:" + path), "list@here.test"),
              "4.3.0 alias database unavailable");
}

TEST(Planner, DefersWhatItCannotDo) {
    const std::string error = "4.3.5 mail system configuration error";
    auto o = base("");
    o.alias_maps = "hash:/nonexistent/aliases";
    EXPECT_EQ(plan(o, "u1@here.test"), "4.3.0 alias database unavailable");
    std::string chain;
    for (int i = 0; i < 200; ++i)
        chain += "a" + std::to_string(i) + "=a" + std::to_string(i + 1) + " ";
    EXPECT_EQ(plan(base(chain), "a0@here.test"), error);
}

TEST(Planner, FindsVirtualMailboxes) {
    auto o = base("");
    o.is_virtual = true;
    o.virtual_mailbox_maps = "inline:{v1@vm.test=vm.test/v1/, @all.test=all/}";
    o.virtual_uid_maps = "inline:{v1@vm.test=5001, @all.test=x}";
    o.virtual_gid_maps = "static:5000";
    EXPECT_EQ(plan(o, "V1+x@vm.test"), "mailbox vm.test/v1/ 5001:5000");
    EXPECT_EQ(plan(o, "No@vm.test"), "5.1.1 unknown user: \"no@vm.test\"");
    EXPECT_EQ(plan(o, "x@all.test"), "4.3.5 mail system configuration error");
    o.virtual_minimum_uid = 6000;
    EXPECT_EQ(plan(o, "v1@vm.test"), "4.3.5 mail system configuration error");
    o.virtual_uid_maps = "";
    EXPECT_EQ(plan(o, "v1@vm.test"), "4.3.5 mail system configuration error");
    o.virtual_mailbox_maps = "hash:/nonexistent/mailboxes";
    EXPECT_EQ(plan(o, "v1@vm.test"), "4.3.0 mailbox lookup table unavailable");
}

}  // namespace
}  // namespace postern::local
