// login: speaks TLS, IMAP and POP3 with strangers until the user is known. Started by master for
// the services imap, imaps, pop3 and pop3s.
#include "lib/service/service.h"

#include "login/login_service.h"

int main(int argc, char** argv) {
    return postern::service::run_loop(argc, argv, postern::login::LoginService::create);
}
