// postscreen: tests SMTP clients before smtpd has to deal with them. Started by master for the
// service smtp.
#include "lib/service/service.h"

#include "postscreen/service.h"

int main(int argc, char** argv) {
    return postern::service::run_loop(argc, argv, postern::postscreen::PostscreenService::create);
}
