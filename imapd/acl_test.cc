// Access control lists, RFC 4314, and LIST-MYRIGHTS (RFC 8440): what the owner may do is what the
// list says.
#include "imapd/test_client.h"

namespace postern::imapd {
namespace {

using testing::AllOf;

class AclTest : public SessionTest {
  protected:
    static Options owner() {
        Options options;
        options.user = "fred";
        return options;
    }
};

// RFC 4314 3: the examples
TEST_F(AclTest, CommandsAnswerAsTheRfcHasIt) {
    Client c(maildir, owner());
    c("CREATE saved");
    EXPECT_THAT(c("GETACL saved"), StartsWith("* ACL saved fred lrswipkxteacd\r\nt OK"));
    EXPECT_THAT(c("MYRIGHTS INBOX"), StartsWith("* MYRIGHTS INBOX lrswipkxteacd\r\n"));
    EXPECT_THAT(c("SETACL saved smith lrsc"), StartsWith("t OK"));
    EXPECT_THAT(c("SETACL saved smith +i"), StartsWith("t OK"));
    EXPECT_THAT(c("SETACL saved smith -s"), StartsWith("t OK"));
    EXPECT_THAT(c("SETACL saved \"-anyone\" w"), StartsWith("t OK"));
    EXPECT_THAT(c("GETACL saved"),
                StartsWith("* ACL saved fred lrswipkxteacd -anyone w smith lrikxc\r\n"));
    EXPECT_THAT(c("DELETEACL saved smith"), StartsWith("t OK"));
    EXPECT_THAT(c("GETACL saved"), Not(HasSubstr("smith")));
    EXPECT_THAT(c("LISTRIGHTS saved smith"),
                StartsWith("* LISTRIGHTS saved smith \"\" l r s w i p k x t e a c d\r\n"));
    EXPECT_THAT(c("LISTRIGHTS saved fred"),
                StartsWith("* LISTRIGHTS saved fred la r s w i p k x t e c d\r\n"));
    for (const char* command : {"GETACL none", "MYRIGHTS none", "SETACL none a l",
                                "DELETEACL none a", "LISTRIGHTS none a"})
        EXPECT_THAT(c(command), StartsWith("t NO [NONEXISTENT]")) << command;
    EXPECT_THAT(c("SETACL saved smith lrz"), StartsWith("t BAD"));
    EXPECT_THAT(c("SETACL saved \"\" l"), StartsWith("t BAD"));
    EXPECT_THAT(c("SETACL saved smith"), StartsWith("t BAD"));
}

TEST_F(AclTest, EachRightIsEnforced) {
    Client c(maildir, owner());
    c("CREATE box");
    c("CREATE other");
    c("CREATE box.sub");
    for (int i = 0; i < 2; ++i) c.append("box", kPlain);
    c.append("other", kPlain);
    struct Case {
        const char *selected, *missing, *command;
    };
    const Case cases[] = {
        {nullptr, "r", "SELECT box"},
        {nullptr, "r", "EXAMINE box"},
        {nullptr, "r", "STATUS box (MESSAGES)"},
        {nullptr, "k", "CREATE box.new"},
        {nullptr, "k", "RENAME other box.other"},
        {nullptr, "x", "DELETE box"},
        {nullptr, "x", "RENAME box moved"},
        {nullptr, "i", "APPEND box {2+}\r\nab"},
        {"other", "i", "COPY 1 box"},
        {"other", "i", "MOVE 1 box"},
        {"box", "t", "STORE 1 +FLAGS (\\Deleted)"},
        {"box", "s", "STORE 1 +FLAGS (\\Seen)"},
        {"box", "w", "STORE 1 +FLAGS (\\Flagged)"},
        {"box", "w", "STORE 1 +FLAGS (keyword)"},
        {"box", "e", "EXPUNGE"},
        {"box", "e", "MOVE 1 other"},
        {"box", "t", "MOVE 1 other"},
        {"box", "e", "REPLACE 1 other {2+}\r\nab"},
    };
    for (const auto& one : cases) {
        if (one.selected != nullptr) c(std::string("SELECT ") + one.selected);
        c(std::string("SETACL box fred lrswipkxtea"));
        EXPECT_THAT(c(std::string("SETACL box fred -") + one.missing), StartsWith("t OK"));
        EXPECT_THAT(c(one.command), HasSubstr("t NO [NOPERM] ")) << one.command;
        c("UNSELECT");
        c("DELETEACL box fred");
    }
    EXPECT_THAT(c("STATUS box (MESSAGES)"), HasSubstr("MESSAGES 2)"));
    EXPECT_THAT(c("STATUS other (MESSAGES)"), HasSubstr("MESSAGES 1)"));
}

TEST_F(AclTest, UrlsNeedTheRightToRead) {
    Client c(maildir, owner());
    c("CREATE box");
    c.append("box", kPlain);
    c("SETACL box fred lrswipkxtea");
    c("SETACL box fred -r");
    EXPECT_THAT(c("APPEND INBOX CATENATE (URL /box/;UID=1)"),
                StartsWith("t NO [BADURL \"/box/;UID=1\"] Access control list"));
    EXPECT_THAT(c("APPEND INBOX CATENATE (URL /../x/;UID=1)"),
                StartsWith("t NO [BADURL \"/../x/;UID=1\"] Mailbox of the URL"));
    EXPECT_THAT(c("ESEARCH IN (personal) ALL"), Not(HasSubstr("MAILBOX box")));
}

TEST_F(AclTest, ReadersWriteNothing) {
    Client c(maildir, owner());
    c("CREATE box");
    c.append("box", kPlain, "(\\Deleted) ");
    c.append("box", kPlain);
    c("SETACL box fred lr");
    EXPECT_THAT(c("SELECT box"), HasSubstr("t OK [READ-ONLY]"));
    EXPECT_THAT(c("FETCH 2 BODY[TEXT]"), AllOf(HasSubstr("body one"), Not(HasSubstr("\\Seen"))));
    EXPECT_THAT(c("CLOSE"), StartsWith("t OK"));
    EXPECT_THAT(c("STATUS box (MESSAGES)"), HasSubstr("MESSAGES 2)"));
    // Without s, FETCH sets nothing; without e, CLOSE removes nothing
    c("SETACL box fred lrwt");
    EXPECT_THAT(c("SELECT box"), HasSubstr("t OK [READ-WRITE]"));
    EXPECT_THAT(c("FETCH 2 BODY[TEXT]"), Not(HasSubstr("\\Seen")));
    c("CLOSE");
    EXPECT_THAT(c("STATUS box (MESSAGES UNSEEN)"), HasSubstr("MESSAGES 2 UNSEEN 2)"));
    // APPEND and COPY set the flags that they may
    c("SETACL box fred lri");
    c.append("box", kPlain, "(\\Seen \\Deleted \\Flagged) ");
    EXPECT_THAT(c("STATUS box (MESSAGES UNSEEN)"), HasSubstr("MESSAGES 3 UNSEEN 3)"));
}

TEST_F(AclTest, TheOwnerIsNotLockedOut) {
    Client c(maildir, owner());
    c("CREATE box");
    EXPECT_THAT(c("SETACL box fred \"\""), StartsWith("t OK"));
    EXPECT_THAT(c("MYRIGHTS box"), StartsWith("* MYRIGHTS box la\r\n"));
    EXPECT_THAT(c("LIST \"\" box"), HasSubstr("box"));
    EXPECT_THAT(c("SETACL box fred lrswipkxtea"), StartsWith("t OK"));
    // The list goes with the folder, and is gone with it
    c("SETACL box joe lr");
    c("RENAME box moved");
    EXPECT_THAT(c("GETACL moved"), HasSubstr(" joe lr"));
    c("DELETE moved");
    c("CREATE moved");
    EXPECT_THAT(c("GETACL moved"), Not(HasSubstr("joe")));
}

// RFC 8440 4
TEST_F(AclTest, ListReturnsRights) {
    Client c(maildir, owner());
    c("CREATE foo");
    c("SETACL foo fred lr");
    EXPECT_THAT(c("LIST \"\" % RETURN (MYRIGHTS)"),
                AllOf(HasSubstr("* MYRIGHTS INBOX lrswipkxteacd\r\n"),
                      HasSubstr("* MYRIGHTS foo lra\r\n")));
}

}  // namespace
}  // namespace postern::imapd
