// What systemd, or a predecessor, hands to a process.
#include "environment.h"

#include <halyard/core/inherited_descriptors.h>

#include <doctest/doctest.h>
#include <logged.h>

#include <string>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

using namespace halyard;
using namespace halyard::test;

namespace {

/// Puts an open file at a number, whatever is there, and takes that back in the end.
class At {
  public:
    explicit At(int number) : number_(number), before_(::fcntl(number, F_DUPFD_CLOEXEC, 100)) {
        const int file = ::open("/dev/null", O_RDONLY);
        if (file != number) {
            ::dup2(file, number);
            ::close(file);
        }
    }
    At(const At&) = delete;
    At& operator=(const At&) = delete;
    ~At() {
        if (before_ >= 0) {
            ::dup2(before_, number_);
            ::fcntl(number_, F_SETFD, FD_CLOEXEC);
            ::close(before_);
        } else {
            ::close(number_);
        }
    }

  private:
    int number_;
    int before_;
};

} // namespace

TEST_CASE("inherited descriptors come in order, with their names, and no child gets them") {
    const At first(3);
    const At second(4);
    const Variable process("LISTEN_PID", std::to_string(::getpid()));
    const Variable count("LISTEN_FDS", "2");
    SUBCASE("with names") {
        const Variable names("LISTEN_FDNAMES", "front:back");
        const auto all = takeInheritedDescriptors();
        REQUIRE(all.size() == 2);
        CHECK(all[0].number == 3);
        CHECK(all[0].name == "front");
        CHECK(all[1].number == 4);
        CHECK(all[1].name == "back");
        CHECK((::fcntl(3, F_GETFD) & FD_CLOEXEC) != 0);
        CHECK((::fcntl(4, F_GETFD) & FD_CLOEXEC) != 0);
    }
    SUBCASE("with fewer names than descriptors") {
        const Variable names("LISTEN_FDNAMES", ":x");
        const auto all = takeInheritedDescriptors();
        REQUIRE(all.size() == 2);
        CHECK(all[0].name.empty());
        CHECK(all[1].name == "x");
    }
    SUBCASE("without names") { CHECK(takeInheritedDescriptors().size() == 2); }
    CHECK(std::getenv("LISTEN_PID") == nullptr);
    CHECK(std::getenv("LISTEN_FDS") == nullptr);
    CHECK(std::getenv("LISTEN_FDNAMES") == nullptr);
    CHECK(takeInheritedDescriptors().empty());
}

TEST_CASE("what is meant for another process is left alone") {
    const Variable process("LISTEN_PID", std::to_string(::getppid()));
    const Variable count("LISTEN_FDS", "1");
    CHECK(takeInheritedDescriptors().empty());
}

TEST_CASE("variables that are no numbers give nothing, and a logged sentence") {
    for (const auto& [process, count] :
         {std::pair{"", "1"}, {"12x", "1"}, {"self", "x"}, {"self", "-1"}, {"self", "99999999"}, {"self", ""}}) {
        Logged log;
        const Variable pid("LISTEN_PID", std::string(process) == "self" ? std::to_string(::getpid()) : process);
        const Variable fds("LISTEN_FDS", count);
        CHECK(takeInheritedDescriptors().empty());
        CHECK(log.linesWith("nothing is inherited") == 1);
    }
}

TEST_CASE("a number that is not open is left out, with a logged sentence") {
    Logged log;
    const At first(3);
    const At second(4);
    ::close(4);
    const Variable process("LISTEN_PID", std::to_string(::getpid()));
    const Variable count("LISTEN_FDS", "2");
    CHECK(takeInheritedDescriptors().size() == 1);
    CHECK(log.linesWith("descriptor 4 of LISTEN_FDS is not open") == 1);
}
