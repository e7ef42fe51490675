#include "route/worker.h"

#include "lib/log/log.h"

namespace postern::route {
namespace {

using Strings = std::vector<std::string>;

Options base() {
    Options o;
    o.myhostname = "mail.here.test";
    o.completion.mydomain = "here.test";
    o.completion.myorigin = "mail.here.test";
    o.recipient_delimiter = "+";
    o.local_transport = "local:mail.here.test";
    o.classes.mydestination = "mail.here.test, localhost";
    o.classes.virtual_alias_domains = "va.test";
    o.classes.virtual_mailbox_domains = "vm.test";
    o.classes.relay_domains = "relay.test";
    o.classes.local_addresses = {*IpAddress::parse("192.0.2.1")};
    return o;
}

std::string resolve(const Options& options, std::string recipient,
                    std::string sender = "s@x.test") {
    Engine engine(options);
    const auto a = engine.resolve({std::move(sender), std::move(recipient)});
    if (a.outcome == ipc::LookupOutcome::temporary) return "TEMPORARY";
    if (a.outcome == ipc::LookupOutcome::permanent) return a.status + " " + a.text;
    return a.transport + " " + a.next_hop + " " + a.recipient;
}

Strings expand(const Options& options, std::string address,
               ipc::AddressRole role = ipc::AddressRole::recipient) {
    Engine engine(options);
    auto a = engine.expand({std::move(address), role});
    return a.outcome == ipc::LookupOutcome::ok ? a.addresses : Strings{"TEMPORARY"};
}

TEST(Resolve, ByAddressClass) {
    const auto o = base();
    EXPECT_EQ(resolve(o, "u@mail.here.test"), "local mail.here.test u@mail.here.test");
    EXPECT_EQ(resolve(o, "u"), "local mail.here.test u@mail.here.test");
    EXPECT_EQ(resolve(o, "u@"), "5.1.3 bad address syntax");
    auto null_domain = o;
    null_domain.completion.null_domain = "mail.here.test";
    EXPECT_EQ(resolve(null_domain, "u@"), "local mail.here.test u@mail.here.test");
    EXPECT_EQ(resolve(o, ""), "local mail.here.test MAILER-DAEMON@mail.here.test");
    EXPECT_EQ(resolve(o, "u@[192.0.2.1]"), "local mail.here.test u@[192.0.2.1]");
    EXPECT_EQ(resolve(o, "u@[192.0.2.2]"), "smtp [192.0.2.2] u@[192.0.2.2]");
    EXPECT_EQ(resolve(o, "u@va.test"), "error 5.1.1 User unknown in virtual alias table u@va.test");
    EXPECT_EQ(resolve(o, "u@vm.test"), "virtual vm.test u@vm.test");
    EXPECT_EQ(resolve(o, "u@sub.relay.test"), "relay sub.relay.test u@sub.relay.test");
    EXPECT_EQ(resolve(o, "u@far.test."), "smtp far.test u@far.test");
}

TEST(Resolve, RefusesWhatIsNoAddress) {
    const auto o = base();
    for (const auto* bad :
         {"@x.test", "u@x..test", "u@-x.test", "u@x y", "u@[192.0.2]", "u@192.0.2.2", "u@17"}) {
        EXPECT_EQ(resolve(o, bad), "5.1.3 bad address syntax") << bad;
    }
    EXPECT_EQ(
        resolve(o, "u@x.\xe2\x80\x8b"),
        "5.1.3 bad address syntax: domain \"x.\xe2\x80\x8b\" has no ASCII form: no domain name");
    EXPECT_EQ(resolve(o, "u@ZÜRICH.test"), "smtp ZÜRICH.test u@ZÜRICH.test");
    auto numeric = base();
    numeric.resolve_numeric_domain = true;
    EXPECT_EQ(resolve(numeric, "u@192.0.2.2"), "smtp [192.0.2.2] u@[192.0.2.2]");
    EXPECT_EQ(resolve(numeric, "u@17"), "5.1.3 bad address syntax");
}

TEST(Resolve, WhoHasMovedGetsNoMail) {
    auto o = base();
    o.relocated_maps = "inline:{{u@mail.here.test=new@far.test}, {@gone.test=nowhere}}";
    EXPECT_EQ(resolve(o, "u+x@mail.here.test"),
              "error 5.1.6 User has moved to new@far.test u+x@mail.here.test");
    EXPECT_EQ(resolve(o, "a@gone.test"), "error 5.1.6 User has moved to nowhere a@gone.test");
    EXPECT_EQ(resolve(o, "v@mail.here.test"), "local mail.here.test v@mail.here.test");
    o.transport_maps = "inline:{{a@gone.test=error:5.1.1 other}}";
    EXPECT_EQ(resolve(o, "a@gone.test"), "error 5.1.1 other a@gone.test");
    o.relocated_maps = "fail:x";
    EXPECT_THAT(resolve(o, "v@mail.here.test"), testing::Not(testing::HasSubstr("local")));
}

TEST(Resolve, UsesRelayhostUnlessATransportNamesItsHop) {
    auto o = base();
    o.relayhost = "[hub.test]:587";
    EXPECT_EQ(resolve(o, "u@far.test"), "smtp [hub.test]:587 u@far.test");
    EXPECT_EQ(resolve(o, "u@relay.test"), "relay [hub.test]:587 u@relay.test");
    EXPECT_EQ(resolve(o, "u@vm.test"), "virtual vm.test u@vm.test");
    o.sender_dependent_relayhost_maps =
        "inline:{me@x.test=[mine.test], @y.test=DUNNO, <>=[null.test]}";
    EXPECT_EQ(resolve(o, "u@far.test", "me@x.test"), "smtp [mine.test] u@far.test");
    EXPECT_EQ(resolve(o, "u@far.test", "me@y.test"), "smtp [hub.test]:587 u@far.test");
    EXPECT_EQ(resolve(o, "u@far.test", ""), "smtp [null.test] u@far.test");
    o.default_transport = "lmtp:unix:/run/l";
    EXPECT_EQ(resolve(o, "u@far.test", "me@x.test"), "lmtp unix:/run/l u@far.test");
    o.sender_dependent_default_transport_maps = "inline:{@x.test=other:}";
    EXPECT_EQ(resolve(o, "u@far.test", "z@x.test"), "other [hub.test]:587 u@far.test");
}

TEST(Resolve, AppliesTransportMaps) {
    auto o = base();
    o.relayhost = "[hub.test]";
    o.transport_maps =
        "inline:{a@far.test=smtp:[one.test]:2525, far.test=other:, .far.test=:[two.test], "
        "keep.test=:, "
        "{err.test=error:5.7.1 go away}, *=relay:[all.test]}";
    EXPECT_EQ(resolve(o, "a+x@far.test"), "smtp [one.test]:2525 a+x@far.test");
    EXPECT_EQ(resolve(o, "b@far.test"), "other far.test b@far.test");
    EXPECT_EQ(resolve(o, "b@x.far.test"), "smtp [two.test] b@x.far.test");
    EXPECT_EQ(resolve(o, "b@keep.test"), "smtp [hub.test] b@keep.test");
    EXPECT_EQ(resolve(o, "b@err.test"), "error 5.7.1 go away b@err.test");
    EXPECT_EQ(resolve(o, "b@any.test"), "relay [all.test] b@any.test");
}

// For mailtrace: what of main.cf sent it there.
TEST(Resolve, NamesTheRule) {
    auto o = base();
    const auto rule = [&o](const char* recipient, const char* sender = "s@x.test") {
        ipc::ResolveRequest request;
        request.sender = sender;
        request.recipient = recipient;
        return Engine(o).resolve(request).rule;
    };
    EXPECT_EQ(rule("u@far.test"), "") << "its class alone";
    o.relayhost = "[hub.test]";
    EXPECT_EQ(rule("u@far.test"), "relayhost");
    EXPECT_EQ(rule("u@vm.test"), "");
    o.sender_dependent_relayhost_maps = "inline:{@y.test=[mine.test]}";
    EXPECT_EQ(rule("u@far.test", "me@y.test"),
              "sender_dependent_relayhost_maps (inline:{@y.test=[mine.test]}, key @y.test)");
    o.sender_dependent_default_transport_maps = "inline:{@z.test=other:[z.test]}";
    EXPECT_EQ(
        rule("u@far.test", "me@z.test"),
        "sender_dependent_default_transport_maps (inline:{@z.test=other:[z.test]}, key @z.test)");
    o.transport_maps = "inline:{far.test=smtp:[one.test]}";
    EXPECT_EQ(rule("u@far.test"),
              "transport_maps (inline:{far.test=smtp:[one.test]}, key far.test)");
    EXPECT_EQ(rule("u@other.test"), "relayhost");
    o.transport_maps = "inline:{far.test=:}, inline:{other.test=smtp:}";
    EXPECT_EQ(rule("u@far.test"), "relayhost") << "the entry changes nothing";
    EXPECT_EQ(rule("u@other.test"), "transport_maps (key other.test)");
}

TEST(Resolve, DefersWhenATableCannotTell) {
    auto o = base();
    o.transport_maps = "hash:/nonexistent/transport";
    EXPECT_EQ(resolve(o, "u@far.test"), "TEMPORARY");
    o = base();
    o.classes.relay_domains = "fail:x, hash:/nonexistent/relay";
    EXPECT_EQ(resolve(o, "u@far.test"), "TEMPORARY");
    o = base();
    o.default_transport = "";
    EXPECT_EQ(resolve(o, "u@far.test"), "TEMPORARY");
}

TEST(Expand, CompletesAddresses) {
    auto o = base();
    EXPECT_EQ(expand(o, "u"), Strings{"u@mail.here.test"});
    EXPECT_EQ(expand(o, "u@host"), Strings{"u@host"});
    EXPECT_EQ(expand(o, ""), Strings{""});
    EXPECT_EQ(expand(o, "u%far.test"), Strings{"u@far.test"});
    EXPECT_EQ(expand(o, "a.test!b.test!u"), Strings{"b.test!u@a.test"});
    EXPECT_EQ(expand(o, "@r.test,@s.test:u@far.test"), Strings{"u@far.test"});
    EXPECT_EQ(expand(o, "two words%x"), Strings{"two words%x@mail.here.test"});
    o.completion.percent_hack = o.completion.swap_bangpath = false;
    EXPECT_EQ(expand(o, "a!u%far.test"), Strings{"a!u%far.test@mail.here.test"});
    o.completion.dot_mydomain = true;
    EXPECT_EQ(expand(o, "u@host"), Strings{"u@host.here.test"});
    EXPECT_EQ(expand(o, "u@[::1]"), Strings{"u@[::1]"});
    EXPECT_EQ(expand(o, "u@x.test."), Strings{"u@x.test"});
    o.completion.at_myorigin = false;
    EXPECT_EQ(expand(o, "u"), Strings{"u"});
}

TEST(Expand, AppliesCanonicalMapsByRole) {
    auto o = base();
    o.sender_canonical_maps = "inline:{u@x.test=sender@x.test}";
    o.recipient_canonical_maps = "inline:{u@x.test=rcpt@x.test}";
    o.canonical_maps =
        "inline:{@old.test=@new.test, joe=Joe.Doe@x.test, loop@x.test=pool@x.test, "
        "pool@x.test=loop@x.test, {many@x.test=a@x.test, b@x.test}}";
    EXPECT_EQ(expand(o, "u@x.test"), Strings{"rcpt@x.test"});
    EXPECT_EQ(expand(o, "u@x.test", ipc::AddressRole::sender), Strings{"sender@x.test"});
    EXPECT_EQ(expand(o, "k+y@old.test"), Strings{"k+y@new.test"});
    EXPECT_EQ(expand(o, "joe+z"), Strings{"Joe.Doe+z@x.test"});
    EXPECT_EQ(expand(o, "loop@x.test"), Strings{"TEMPORARY"});
    log::open_capture();
    EXPECT_EQ(expand(o, "many@x.test"), Strings{"a@x.test"}) << "with a warning, as Postfix";
    EXPECT_THAT(log::take_captured(), testing::HasSubstr("multi-valued"));
}

TEST(Header, CanonicalMapsByClass) {
    auto o = base();
    o.sender_canonical_maps = "inline:{u@x.test=sender@x.test}";
    o.recipient_canonical_maps = "inline:{u@x.test=rcpt@x.test}";
    o.canonical_maps = "inline:{sender@x.test=both@x.test, k@x.test=l@x.test}";
    o.canonical_classes = "header_sender";
    o.virtual_alias_maps = "inline:{rcpt@x.test=never@x.test}";
    Engine engine(o);
    const auto a = engine.rewrite_header({{"u@x.test", "k@x.test"}, {"u@x.test", "k@x.test"}});
    EXPECT_EQ(a.outcome, ipc::LookupOutcome::ok);
    EXPECT_EQ(a.senders, (Strings{"both@x.test", "l@x.test"}));
    EXPECT_EQ(a.recipients, (Strings{"rcpt@x.test", "k@x.test"}));
    EXPECT_EQ(expand(o, "k@x.test", ipc::AddressRole::sender), Strings{"k@x.test"});
    o.recipient_canonical_classes = "envelope_recipient";
    o.sender_canonical_maps = "fail:now";
    Engine failing(o);
    EXPECT_EQ(failing.rewrite_header({{}, {"u@x.test"}}).recipients, Strings{"u@x.test"});
    EXPECT_EQ(failing.rewrite_header({{"u@x.test"}, {}}).outcome, ipc::LookupOutcome::temporary);
}

TEST(Header, QuotedUsers) {
    auto o = base();
    o.canonical_maps =
        "inline:{{\"sp ace\"@x.test=nospace@x.test}, {q@x.test=\"quoted user\"@x.test}}";
    Engine engine(o);
    EXPECT_EQ(engine.rewrite_header({{"sp ace@x.test"}, {"q@x.test"}}).senders,
              Strings{"nospace@x.test"});
    EXPECT_EQ(engine.rewrite_header({{}, {"q@x.test"}}).recipients, Strings{"quoted user@x.test"});
    EXPECT_EQ(engine.rewrite_header({{"bare"}, {}}).senders, Strings{"bare"}) << "not completed";
}

// The results are those of Postfix 3.7 with the same settings.
TEST(Header, Masquerading) {
    auto o = base();
    o.masquerade_domains = "!keep.masq.test masq.test";
    o.masquerade_exceptions = "root";
    Engine engine(o);
    const std::pair<const char*, const char*> cases[] = {
        {"u@a.masq.test", "u@masq.test"},         {"u@a.b.MASQ.test", "u@masq.test"},
        {"root@a.masq.test", "root@a.masq.test"}, {"u@x.keep.masq.test", "u@x.keep.masq.test"},
        {"u@keep.masq.test", "u@keep.masq.test"}, {"u@masq.test", "u@masq.test"},
        {"u@xmasq.test", "u@xmasq.test"},
    };
    for (const auto& [in, out] : cases) {
        EXPECT_EQ(engine.rewrite_header({{in}, {}}).senders, Strings{out});
        EXPECT_EQ(engine.rewrite_header({{}, {in}}).recipients, Strings{out});
    }
    EXPECT_EQ(expand(o, "u@a.masq.test", ipc::AddressRole::sender), Strings{"u@masq.test"});
    EXPECT_EQ(expand(o, "u@a.masq.test"), Strings{"u@a.masq.test"}) << "not by default";
    o.masquerade_classes = "envelope_recipient";
    EXPECT_EQ(expand(o, "u@a.masq.test"), Strings{"u@masq.test"});
    o.masquerade_exceptions = "hash:/nonexistent/table";
    EXPECT_EQ(expand(o, "u@a.masq.test"), Strings{"TEMPORARY"});
}

TEST(Expand, FollowsVirtualAliases) {
    auto o = base();
    o.virtual_alias_maps =
        "inline:{info@va.test=u1, {team@va.test=info@va.test, far@far.test, team@va.test}, "
        "@all.test=@va.test, "
        "{self@va.test=self@va.test, u2}, postmaster=root@far.test}";
    EXPECT_EQ(expand(o, "info@va.test"), Strings{"u1@mail.here.test"});
    EXPECT_EQ(expand(o, "INFO+ext@va.test"), Strings{"u1+ext@mail.here.test"});
    EXPECT_EQ(expand(o, "team@va.test"),
              (Strings{"u1@mail.here.test", "far@far.test", "team@va.test"}));
    EXPECT_EQ(expand(o, "info@all.test"), Strings{"u1@mail.here.test"});
    EXPECT_EQ(expand(o, "self@va.test"), (Strings{"self@va.test", "u2@mail.here.test"}));
    EXPECT_EQ(expand(o, "postmaster@localhost"), Strings{"root@far.test"});
    EXPECT_EQ(expand(o, "postmaster@x.test"), Strings{"postmaster@x.test"});
    EXPECT_EQ(expand(o, "info@va.test", ipc::AddressRole::sender), Strings{"info@va.test"});
    o.propagate_unmatched_extensions = "canonical";
    EXPECT_EQ(expand(o, "info+ext@va.test"), Strings{"u1@mail.here.test"});
}

TEST(Expand, KeepsItsLimits) {
    auto o = base();
    o.virtual_alias_maps = "inline:{a@x.test=b@x.test, b@x.test=a@x.test}";
    EXPECT_EQ(expand(o, "a@x.test"), Strings{"TEMPORARY"});
    o.virtual_alias_maps = "inline:{{a@x.test=1@x.test,2@x.test,3@x.test}}";
    o.virtual_alias_expansion_limit = 2;
    EXPECT_EQ(expand(o, "a@x.test"), Strings{"TEMPORARY"});
    o.virtual_alias_expansion_limit = 3;
    EXPECT_EQ(expand(o, "a@x.test").size(), 3u);
    o.virtual_alias_address_length_limit = 5;
    EXPECT_EQ(expand(o, "a@x.test"), Strings{"TEMPORARY"});
    o = base();
    o.virtual_alias_maps = "hash:/nonexistent/virtual";
    EXPECT_EQ(expand(o, "a@x.test"), Strings{"TEMPORARY"});
}

TEST(Worker, AnswersUntilThePeerIsDone) {
    auto pair = sys::packet_pair();
    ASSERT_TRUE(pair);
    ipc::Channel client(std::move(pair->first));
    ipc::Channel server(std::move(pair->second));
    const auto deadline = Deadline::in(Millis{30'000});
    ASSERT_TRUE(client.send(ipc::ResolveRequest{"", "u@vm.test"}, deadline));
    ASSERT_TRUE(client.send(ipc::ExpandRequest{"u", ipc::AddressRole::sender}, deadline));
    ASSERT_TRUE(client.send(ipc::ResolveAnswer{}, deadline));  // not ours to receive: ends it
    Engine engine(base());
    using Conversation = service::Worker::Conversation;
    EXPECT_EQ(serve(engine, server), Conversation::goes_on);
    EXPECT_EQ(serve(engine, server), Conversation::goes_on);
    EXPECT_EQ(serve(engine, server), Conversation::over);
    EXPECT_EQ(client.receive<ipc::ResolveAnswer>(deadline)->transport, "virtual");
    EXPECT_EQ(client.receive<ipc::ExpandAnswer>(deadline)->addresses, Strings{"u@mail.here.test"});
}

TEST(Expand, CopiesAndMailWithoutMappings) {
    auto o = base();
    o.sender_bcc_maps = "inline:{s@x.test=boss@here.test, @y.test=watch}";
    o.recipient_bcc_maps = "inline:{u@mail.here.test=copy@here.test}";
    o.virtual_alias_maps = "static:elsewhere@z.test";
    Engine engine(o);
    using R = ipc::AddressRole;
    EXPECT_EQ(engine.expand({"s@x.test", R::sender}).bcc, Strings{"boss@here.test"});
    EXPECT_EQ(engine.expand({"t@y.test", R::sender}).bcc, Strings{"watch@mail.here.test"});
    EXPECT_EQ(engine.expand({"u", R::recipient}).bcc, Strings{"copy@here.test"});
    o.canonical_maps = "inline:{old@x.test=s@x.test}";
    EXPECT_EQ(Engine(o).expand({"old@x.test", R::sender}).bcc, Strings{"boss@here.test"});
    EXPECT_EQ(engine.expand({"s@x.test", R::recipient}).bcc, Strings{});
    EXPECT_EQ(engine.expand({"", R::sender}).bcc, Strings{});
    const auto plain = engine.expand({"u", R::recipient, false});
    EXPECT_EQ(plain.addresses, Strings{"u@mail.here.test"});
    EXPECT_EQ(plain.bcc, Strings{});
    o.recipient_bcc_maps = "fail:now";
    Engine failing(o);
    EXPECT_EQ(failing.expand({"u", R::recipient}).outcome, ipc::LookupOutcome::temporary);
}

TEST(Resolve, TellsWhichSitesMayAskForTheirMail) {
    auto o = base();
    const auto served = [&](const char* recipient) {
        log::open_capture();
        Engine engine(o);
        return engine.resolve({"s@x.test", recipient}).flush_site;
    };
    using ipc::FlushSite;
    EXPECT_EQ(served("u@relay.test"), FlushSite::no);
    o.fast_flush_domains = "served.test, !no.parent.test, .parent.test, [192.0.2.5]";
    EXPECT_EQ(served("u@served.test"), FlushSite::yes);
    EXPECT_EQ(served("u@SUB.served.test"), FlushSite::yes);
    EXPECT_EQ(served("u@a.parent.test"), FlushSite::yes);
    EXPECT_EQ(served("u@no.parent.test"), FlushSite::no);
    EXPECT_EQ(served("u@other.test"), FlushSite::no);
    o.flush_parents = table::Parents::dotted;
    EXPECT_EQ(served("u@sub.served.test"), FlushSite::no);
    o.fast_flush_domains = "hash:/nonexistent/table";
    EXPECT_EQ(served("u@served.test"), FlushSite::unknown);
    EXPECT_THAT(log::take_captured(), testing::HasSubstr("fast_flush_domains: "));
}

}  // namespace
}  // namespace postern::route
