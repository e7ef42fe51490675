// Service with a process that is a script: what it says on its control channel, and its end.
#include "master/service.h"

#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "lib/ipc/messages/control.h"
#include "lib/log/log.h"
#include "lib/service/snapshot.h"
#include "lib/sys/file.h"
#include "tests/support/temp_folder.h"

namespace postern::master {
namespace {

class ServiceTest : public testing::Test {
  protected:
    ServiceTest() {
        log::open_capture();
        std::filesystem::current_path(folder_.path());
        std::filesystem::create_directory("private");
    }
    ~ServiceTest() override { std::filesystem::current_path(before_); }

    // One that may have one process, which does as the script says.
    std::unique_ptr<Service> service_of(const std::string& script) {
        EXPECT_TRUE(sys::replace_file(folder_ / "main.cf", ""));
        EXPECT_TRUE(sys::replace_file(folder_ / "master.cf", ""));
        EXPECT_TRUE(sys::replace_file(folder_ / "daemon", "#!/bin/sh\n" + script));
        std::filesystem::permissions("daemon", std::filesystem::perms::owner_all);
        const auto snapshot = config::Snapshot::read(folder_.path()).value();
        around_.config =
            std::make_shared<const config::Config>(config::Config::from(snapshot).value());
        around_.snapshot = std::make_shared<const Fd>(service::seal_snapshot(snapshot).value());
        around_.environment = {"PATH=/usr/bin:/bin"};
        Service::Setup setup;
        const std::string line = "x unix - - n 60 1 error\n";  // started for its wake-up
        setup.entry = config::MasterFile::parse(line).value().entries().front();
        setup.profile = service::find_profile("error");
        setup.identity = {"", ::geteuid(), ::getegid(), ::getegid()};
        setup.program_path = folder_ / "daemon";
        setup.limit = 1;
        setup.throttle_time = Millis{60'000};
        return Service::open(around_, std::move(setup)).value();
    }
    // The only process ends, and master learns of that before it reads anything.
    static void end_of_process(Service& service) {
        const auto processes = service.listing().processes;
        ASSERT_EQ(processes.size(), 1U);
        int status = 0;
        const auto pid = static_cast<pid_t>(processes[0].pid);
        ASSERT_EQ(::waitpid(pid, &status, 0), pid);
        EXPECT_TRUE(service.process_ended(pid, status));
    }
    // A shell's command that sends this to master.
    std::string says(ipc::StatusEvent event) {
        const auto bytes = ipc::encode(ipc::Status{event, 1}, {}).value();
        EXPECT_TRUE(sys::replace_file(folder_ / "status", bytes));
        return "cat status >&3\n";
    }

    std::filesystem::path before_ = std::filesystem::current_path();
    support::TempFolder folder_;
    loop::Loop loop_;
    Surroundings around_{loop_, nullptr, nullptr};
};

TEST_F(ServiceTest, WhatSaidThatItWasReadyDidNotStartBadly) {
    const auto service = service_of(says(ipc::StatusEvent::ready) + "exit 1\n");
    service->start();
    end_of_process(*service);
    EXPECT_FALSE(service->listing().throttled) << log::take_captured();
    EXPECT_EQ(service->listing().processes.size(), 1U) << "a successor for its wake-up";
    end_of_process(*service);
}

TEST_F(ServiceTest, WhatNeverSaidSoDid) {
    const auto service = service_of("exit 1\n");
    service->start();
    end_of_process(*service);
    EXPECT_TRUE(service->listing().throttled);
    EXPECT_NE(log::take_captured().find("bad command startup -- throttling"), std::string::npos);
}

TEST_F(ServiceTest, WhatServedItsShareCountsLikeOneThatDrains) {
    const auto service = service_of(says(ipc::StatusEvent::retired) + "read word <&3\n");
    service->start();
    for (int i = 0; i < 1000 && !service->listing().processes[0].draining; ++i)
        loop_.run_for(Millis{10});
    EXPECT_TRUE(service->listing().processes[0].draining);
    service->kill_all(SIGKILL);
    end_of_process(*service);
}

}  // namespace
}  // namespace postern::master
