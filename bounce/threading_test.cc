#include "bounce/threading.h"

#include <gtest/gtest.h>

#include "lib/base/strings.h"

namespace postern::bounce {
namespace {

TEST(Threading, RefersToTheMessageAndWhatItReferredTo) {
    const struct {
        const char* header;
        const char* fields;
    } cases[] = {
        {"Message-ID: <a@x>\r\n", "References: <a@x>\r\nIn-Reply-To: <a@x>\r\n"},
        {"References: <r1@x>\r\n\t<r2@x>\r\nIn-Reply-To: <i@x>\r\nmessage-id: (c) <a@x>\r\n",
         "References: <r1@x>\r\n <r2@x>\r\n <a@x>\r\nIn-Reply-To: <a@x>\r\n"},
        {"In-Reply-To: <i@x>\r\nMessage-ID: <a@x>\r\n",
         "References: <i@x>\r\n <a@x>\r\nIn-Reply-To: <a@x>\r\n"},
        // RFC 5322 3.6.4: of several it is not known which is the parent's.
        {"In-Reply-To: <i@x> <j@x>\r\nMessage-ID: <a@x>\r\n",
         "References: <a@x>\r\nIn-Reply-To: <a@x>\r\n"},
        {"References: Your mail of <Monday>, <r@x>\r\nMessage-ID: <a@x>\r\n",
         "References: <Monday>\r\n <r@x>\r\n <a@x>\r\nIn-Reply-To: <a@x>\r\n"},
        {"Subject: none\r\n", ""},
        {"Message-ID:\r\nReferences: <r@x>\r\n", ""},
        {"Message-ID: <>\r\n", ""},
        {"Message-ID: a@x\r\n", ""},
        {"Message-ID: <a b@x>\r\n", ""},
        {"Message-ID: <a@x\r\n", ""},
        {"Message-ID: <\xff@x>\r\n", ""},
        {"", ""},
    };
    for (const auto& c : cases)
        EXPECT_EQ(thread_fields(cat({c.header, "\r\n"})), c.fields) << c.header;
}

TEST(Threading, IsBounded) {
    std::string header = "Message-ID: <last@x>\r\nReferences:";
    for (int i = 0; i < 5000; ++i) header += " <" + std::to_string(i) + "@x>\r\n";
    const std::string fields = thread_fields(header + "\r\n");
    EXPECT_EQ(std::count(fields.begin(), fields.end(), '\n'), 31);
    EXPECT_EQ(fields.substr(0, 20), "References: <4971@x>");
    EXPECT_EQ(thread_fields("Message-ID: <" + std::string(2000, 'a') + ">\r\n\r\n"), "");
}

}  // namespace
}  // namespace postern::bounce
