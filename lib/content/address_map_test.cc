// What of an address is looked up, and what becomes of the results.
#include "lib/content/address_map.h"

namespace postern::content {
namespace {

AddressMapRules rules() {
    AddressMapRules r;
    r.delimiters = "+";
    r.completion.myorigin = "origin.test";
    r.completion.mydomain = "test";
    return r;
}

std::string mapped(std::string_view list, const std::string& address,
                   const AddressMapRules& r = rules()) {
    auto maps = table::Maps::open(list);
    const auto found = map_address(maps, address, r);
    if (found.failed()) return "failed: " + found.error().what;
    return found.found() ? join(*found, " ") : "-";
}

TEST(AddressMap, FormsOfAnAddress) {
    struct Case {
        const char* table;
        const char* address;
        const char* becomes;
    };
    const Case cases[] = {
        {"inline:{a@x.test=b@y.test}", "a@x.test", "b@y.test"},
        {"inline:{a@x.test=b@y.test}", "A@X.test", "b@y.test"},
        {"inline:{a@x.test=b@y.test}", "c@x.test", "-"},
        {"inline:{@x.test=b@y.test}", "a@x.test", "b@y.test"},
        {"inline:{@x.test=@y.test}", "a@x.test", "a@y.test"},
        {"inline:{a@x.test=b@y.test, @x.test=z@y.test}", "a@x.test", "b@y.test"},
        {"inline:{a@x.test=b}", "a@x.test", "b@origin.test"},
        {"inline:{a@x.test=b@y.test}", "a+e@x.test", "b@y.test"},
        {"inline:{a+e@x.test=b@y.test, a@x.test=z@y.test}", "a+e@x.test", "b@y.test"},
        {"inline:{a=b@y.test}", "a@x.test", "-"},  // x.test is not ours
        {"inline:{{a@x.test=b@y.test, c@y.test}}", "a@x.test", "b@y.test c@y.test"},
        {"inline:{{two words@x.test=b@y.test}}", "two words@x.test", "b@y.test"},
    };
    for (const Case& c : cases)
        EXPECT_EQ(mapped(c.table, c.address), c.becomes) << c.table << ' ' << c.address;
}

TEST(AddressMap, ExtensionsAreKeptWhereAskedFor) {
    auto r = rules();
    r.propagate = true;
    EXPECT_EQ(mapped("inline:{a@x.test=b@y.test}", "a+e@x.test", r), "b+e@y.test");
    EXPECT_EQ(mapped("inline:{a+e@x.test=b@y.test}", "a+e@x.test", r), "b@y.test");
    EXPECT_EQ(mapped("inline:{@x.test=@y.test}", "a+e@x.test", r), "a+e@y.test");
}

TEST(AddressMap, NamesAloneInDomainsOfOurs) {
    auto r = rules();
    r.own_domain = true;
    EXPECT_EQ(mapped("inline:{a=b@y.test}", "a@x.test", r), "b@y.test");
    EXPECT_EQ(mapped("inline:{a=b@y.test}", "a+e@x.test", r), "b@y.test");
}

TEST(AddressMap, TablesThatCannotTell) {
    EXPECT_THAT(mapped("fail:it", "a@x.test"), testing::StartsWith("failed: "));
    EXPECT_THAT(mapped("inline:{{a@x.test=,}}", "a@x.test"), testing::StartsWith("failed: empty"));
}

}  // namespace
}  // namespace postern::content
