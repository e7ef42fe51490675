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
        return Service::open(around_, setup_of(script, "error")).value();
    }
    Service::Setup setup_of(const std::string& script, const std::string& program) {
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
        setup.profile = service::find_profile(program);
        setup.identity = {"", ::geteuid(), ::getegid(), ::getegid()};
        setup.program_path = folder_ / "daemon";
        setup.limit = 1;
        setup.throttle_time = Millis{60'000};
        return setup;
    }
    static std::vector<pid_t> pids(const Service& service) {
        std::vector<pid_t> out;
        for (const auto& one : service.listing().processes)
            out.push_back(static_cast<pid_t>(one.pid));
        return out;
    }
    // The wait status of a process that ends; master learns of that before it reads anything.
    static int end_of(Service& service, pid_t pid) {
        int status = 0;
        EXPECT_EQ(::waitpid(pid, &status, 0), pid);
        EXPECT_TRUE(service.process_ended(pid, status));
        return status;
    }
    static int end_of_process(Service& service) {
        const auto processes = pids(service);
        EXPECT_EQ(processes.size(), 1U);
        return processes.empty() ? -1 : end_of(service, processes[0]);
    }
    static int kill(Service& service, pid_t pid) {
        EXPECT_EQ(::kill(-pid, SIGKILL), 0);
        return end_of(service, pid);
    }
    void until(const std::function<bool()>& done) {
        const auto deadline = Deadline::in(Millis{30'000});
        while (!done() && !deadline.passed()) loop_.run_for(Millis{5});
        EXPECT_TRUE(done());
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
    const auto service = service_of(says(ipc::StatusEvent::retired) + "exec sleep 1000\n");
    service->start();
    until([&] { return service->listing().processes.at(0).draining; });
    const pid_t first = pids(*service).at(0);
    EXPECT_TRUE(WIFSIGNALED(kill(*service, first))) << "it was there until then";
    EXPECT_FALSE(service->listing().throttled);
    const auto successor = pids(*service);
    ASSERT_EQ(successor.size(), 1U);
    EXPECT_NE(successor[0], first);
    service->retire(ipc::Order::stop);
    kill(*service, successor[0]);
}

TEST_F(ServiceTest, ACrashIsToldOfARemovedServiceToo) {
    const auto service = service_of("sleep 1000\n");
    service->start();
    const auto processes = pids(*service);
    service->retire(ipc::Order::drain);
    kill(*service, processes.at(0));
    EXPECT_TRUE(service->empty());
    const std::string logged = log::take_captured();
    EXPECT_NE(logged.find("killed by signal 9"), std::string::npos) << logged;
    EXPECT_EQ(logged.find("throttling"), std::string::npos) << logged;
}

// Two reloads, one upon the other: the first process still delivers, the second has not heard yet
// that it is to drain.
TEST_F(ServiceTest, NoneStartsBesideOneThatHasNotHeard) {
    const std::string busy_if_first =  // says its slot of the scoreboard
        "set -- $POSTERN_CHILD\n"
        "if [ $2 = 0 ]; then printf '\\002\\000\\000\\000' | "
        "dd bs=4 seek=2 conv=notrunc 2>dd >&4; fi\n"
        ": > started$2\n"
        "exec sleep 1000\n";
    const auto setup = setup_of(busy_if_first, "qmgr");
    const auto service = Service::open(around_, setup).value();
    service->start();
    until([] { return std::filesystem::exists("started0"); });
    const pid_t first = pids(*service).at(0);
    service->reconfigure(around_, setup);
    until([] { return std::filesystem::exists("started1"); });
    ASSERT_EQ(pids(*service).size(), 2U);
    service->reconfigure(around_, setup);
    kill(*service, first);
    const auto left = pids(*service);
    ASSERT_EQ(left.size(), 1U) << "it may still start deliveries";
    EXPECT_TRUE(service->listing().processes.at(0).draining);
    kill(*service, left[0]);
    const auto successor = pids(*service);
    ASSERT_EQ(successor.size(), 1U);
    EXPECT_FALSE(service->listing().processes.at(0).draining);
    service->retire(ipc::Order::stop);
    kill(*service, successor[0]);
}

}  // namespace
}  // namespace postern::master
