// What a supervisor is told, as sd_notify(3) has it.
#include "environment.h"

#include <halyard/core/service_notifier.h>
#include <halyard/core/timer.h>

#include <counted_sigpipe.h>
#include <doctest/doctest.h>
#include <logged.h>
#include <plain_socket.h>
#include <pump.h>

#include <algorithm>
#include <cstddef>
#include <string>

#include <fcntl.h>
#include <sys/un.h>

using namespace halyard;
using namespace halyard::test;

namespace {

/// Listens at an abstract name, which needs no directory.
class Supervisor {
  public:
    Supervisor() : name_("@halyard-test-" + std::to_string(::getpid())) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::copy(name_.begin() + 1, name_.end(), address.sun_path + 1);
        const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name_.size());
        if (::bind(socket_.descriptor(), reinterpret_cast<const sockaddr*>(&address), length) != 0)
            throw std::runtime_error("the test's supervisor cannot listen");
    }

    const std::string& name() const { return name_; }

    /// The next message; "" where there is none.
    std::string heard() const {
        std::string message(1000, '\0');
        const ssize_t size = ::recv(socket_.descriptor(), message.data(), message.size(), MSG_DONTWAIT);
        message.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
        return message;
    }

  private:
    std::string name_;
    PlainSocket socket_{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
};

} // namespace

TEST_CASE("the supervisor hears what the service says") {
    const Supervisor supervisor;
    const Variable where("NOTIFY_SOCKET", supervisor.name());
    ServiceNotifier notifier;
    CHECK(notifier.isSupervised());
    CHECK(notifier.watchdogTime().count() == 0);
    CHECK(notifier.ready());
    CHECK(supervisor.heard() == "READY=1");
    CHECK(notifier.status("3 clients"));
    CHECK(supervisor.heard() == "STATUS=3 clients");
    CHECK(notifier.reloading());
    CHECK(supervisor.heard().starts_with("RELOADING=1\nMONOTONIC_USEC="));
    CHECK(notifier.mainProcess(17));
    CHECK(supervisor.heard() == "MAINPID=17");
    CHECK(notifier.stopping());
    CHECK(supervisor.heard() == "STOPPING=1");
}

TEST_CASE("without a supervisor nothing is said") {
    ServiceNotifier notifier;
    CHECK_FALSE(notifier.isSupervised());
    CHECK_FALSE(notifier.ready());
    CHECK_FALSE(notifier.stopping());
}

TEST_CASE("a supervisor that is gone is a logged sentence") {
    Logged log;
    const Variable where("NOTIFY_SOCKET", "/nowhere/at/all");
    ServiceNotifier notifier;
    CHECK_FALSE(notifier.ready());
    CHECK(log.linesWith("cannot notify /nowhere/at/all") == 1);
}

TEST_CASE("a name that no socket can have is refused") {
    Logged log;
    const Variable where("NOTIFY_SOCKET", '/' + std::string(200, 'x'));
    ServiceNotifier notifier;
    CHECK_FALSE(notifier.ready());
    CHECK(log.linesWith("File name too long") == 1);
}

TEST_CASE("the loop sends signs of life from ready() on where the supervisor wants them") {
    const Supervisor supervisor;
    const Variable where("NOTIFY_SOCKET", supervisor.name());
    const Variable time("WATCHDOG_USEC", "20000");
    SUBCASE("of this process") {
        const Variable process("WATCHDOG_PID", std::to_string(::getpid()));
        ServiceNotifier notifier;
        const Timer ofTheProgram(&notifier);
        CHECK(notifier.watchdogTime() == std::chrono::milliseconds(20));
        pumpIdle();
        CHECK(supervisor.heard().empty());
        notifier.ready();
        CHECK(supervisor.heard() == "READY=1");
        for (int i = 0; i != 2; ++i)
            CHECK(pumpUntil([&] { return supervisor.heard() == "WATCHDOG=1"; }));
    }
    SUBCASE("of another process") {
        const Variable process("WATCHDOG_PID", std::to_string(::getppid()));
        CHECK(ServiceNotifier().watchdogTime().count() == 0);
    }
}

TEST_CASE("a predecessor hears that its successor is ready") {
    int ends[2] = {};
    REQUIRE(::pipe2(ends, O_NONBLOCK) == 0);
    const PlainSocket predecessor(ends[0]);
    char byte = 0;
    {
        const Variable where("HALYARD_READY_FD", std::to_string(ends[1]));
        ServiceNotifier notifier;
        CHECK(std::getenv("HALYARD_READY_FD") == nullptr);
        CHECK(::read(ends[0], &byte, 1) < 0);
        SUBCASE("that says so") {
            notifier.ready();
            CHECK(::read(ends[0], &byte, 1) == 1);
            CHECK(::read(ends[0], &byte, 1) == 0);
            notifier.ready(); // nobody is there any more
        }
        SUBCASE("or never is") {}
    }
    CHECK(::read(ends[0], &byte, 1) == 0);
}

TEST_CASE("a predecessor that is gone is a logged sentence, and no SIGPIPE") {
    int ends[2] = {};
    REQUIRE(::pipe2(ends, O_NONBLOCK) == 0);
    ::close(ends[0]);
    const CountedSigpipe sigpipe;
    Logged log;
    const Variable where("HALYARD_READY_FD", std::to_string(ends[1]));
    ServiceNotifier notifier;
    notifier.ready();
    CHECK(sigpipe.count() == 0);
    CHECK(log.linesWith("the predecessor does not hear") == 1);
}
