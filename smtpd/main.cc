// smtpd: speaks SMTP with strangers. Started by master for the services smtp, submission and smtps.
#include "lib/service/service.h"

#include "smtpd/smtpd_service.h"

int main(int argc, char** argv) {
    return postern::service::run_loop(argc, argv, postern::smtpd::SmtpdService::create);
}
