#include "connection_race.h"
#include "far_ends.h"

#include <halyard/core/event_loop.h>
#include <halyard/core/timer.h>

#include <pump.h>

#include <doctest/doctest.h>

#include <cerrno>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include <fcntl.h>
#include <sys/resource.h>

using namespace halyard;
using namespace halyard::test;
using namespace std::chrono_literals;

static_assert(!std::is_copy_constructible_v<ConnectionRace> && !std::is_move_constructible_v<ConnectionRace>);

namespace {

using Clock = Deadline::Clock;

const HostAddress four("127.0.0.1");
const HostAddress otherFour("127.0.0.2");
const HostAddress thirdFour("127.0.0.3");
const HostAddress six(HostAddress::LocalHostIPv6);

constexpr auto never = 1h; // a delay that no test sees the end of
constexpr auto shortly = 40ms;

/// A race, the attempts that it made, and what came of it.
class Race {
  public:
    explicit Race(std::vector<Endpoint> peers, std::chrono::milliseconds delay = never,
                  ConnectionRace::Prepare prepare = {})
        : race_(std::make_unique<ConnectionRace>(
              std::move(peers), delay,
              [this, prepare](int descriptor, const Endpoint& to) {
                  attempts.push_back(to);
                  times.push_back(Clock::now());
                  return prepare ? prepare(descriptor, to) : 0;
              },
              [this](const ConnectionRace::Outcome& outcome) { took(outcome); })) {}

    bool pump() {
        return pumpUntil([this] { return ended != 0; });
    }
    bool wait(std::optional<Clock::time_point> until = Clock::now() + patience()) {
        int broken = 0;
        const bool is = race_->wait(until, &broken);
        CHECK(broken == 0);
        return is;
    }
    void cancel() { race_.reset(); }

    std::vector<Endpoint> attempts;
    std::vector<Clock::time_point> times;
    std::function<void()> onEnd;
    int ended = 0;
    int error = 0;
    Endpoint peer;
    PlainSocket connection;

  private:
    void took(const ConnectionRace::Outcome& outcome) {
        ++ended;
        error = outcome.error;
        peer = outcome.peer;
        connection = PlainSocket(outcome.descriptor);
        if (onEnd)
            onEnd();
    }

    std::unique_ptr<ConnectionRace> race_;
};

} // namespace

TEST_CASE("addresses take turns by family, the resolver's first one first, and each is there once") {
    const auto order = [](const std::vector<const char*>& texts) {
        std::vector<HostAddress> addresses;
        for (const char* each : texts)
            addresses.emplace_back(each);
        std::string all;
        for (const Endpoint& each : ConnectionRace::inOrder(addresses, 80)) {
            CHECK(each.port == 80);
            all += each.address.toString() + ' ';
        }
        return all;
    };
    CHECK(order({}).empty());
    CHECK(order({"1.1.1.1"}) == "1.1.1.1 ");
    CHECK(order({"::1", "::2", "::3", "1.1.1.1", "2.2.2.2"}) == "::1 1.1.1.1 ::2 2.2.2.2 ::3 ");
    CHECK(order({"1.1.1.1", "2.2.2.2", "::1"}) == "1.1.1.1 ::1 2.2.2.2 ");
    CHECK(order({"1.1.1.1", "::1", "::2", "2.2.2.2"}) == "1.1.1.1 ::1 2.2.2.2 ::2 ");
    CHECK(order({"::1", "::1", "1.1.1.1", "::1", "1.1.1.1"}) == "::1 1.1.1.1 ");
}

TEST_CASE("a single address connects, and its descriptor is ready for an event loop") {
    const PlainSocket listener = listeningAt(four);
    Race race({boundTo(listener)});
    CHECK(race.ended == 0);
    REQUIRE(race.pump());
    CHECK(race.error == 0);
    CHECK(race.peer == boundTo(listener));
    CHECK((::fcntl(race.connection.descriptor(), F_GETFL) & O_NONBLOCK) != 0);
    CHECK((::fcntl(race.connection.descriptor(), F_GETFD) & FD_CLOEXEC) != 0);
    const PlainSocket accepted = listener.accept();
    race.connection.send("hello");
    CHECK(accepted.receive(5) == "hello");
    pumpIdle();
    CHECK(race.ended == 1);
}

TEST_CASE("the order of both families is kept, and a good first address is the only one that is tried") {
    const PlainSocket first = listeningAt(six);
    const PlainSocket second = listeningAt(four);
    Race race({boundTo(first), boundTo(second)});
    REQUIRE(race.pump());
    CHECK(race.peer == boundTo(first));
    CHECK(race.attempts == std::vector{boundTo(first)});
}

TEST_CASE("after a refusal the next address is tried at once") {
    const Refusing first(six);
    const Refusing second(four);
    const PlainSocket third = listeningAt(otherFour);
    Race race({first.endpoint(), second.endpoint(), boundTo(third)});
    SUBCASE("by the loop") { REQUIRE(race.pump()); }
    SUBCASE("by a wait") { REQUIRE(race.wait()); }
    CHECK(race.error == 0);
    CHECK(race.peer == boundTo(third));
    CHECK(race.attempts == std::vector{first.endpoint(), second.endpoint(), boundTo(third)});
}

TEST_CASE("behind a silent address the next one is tried after the delay, and a refusal there is no reason to wait") {
    const Silent first(six);
    const Silent second(four);
    const Refusing third(otherFour);
    const PlainSocket fourth = listeningAt(thirdFour);
    const std::ptrdiff_t before = openDescriptors();
    Race race({first.endpoint(), second.endpoint(), third.endpoint(), boundTo(fourth)}, shortly);
    const std::ptrdiff_t atFirst = openDescriptors();
    SUBCASE("by the loop") { REQUIRE(race.pump()); }
    SUBCASE("by a wait") { REQUIRE(race.wait()); }
    CHECK(atFirst == before + 1);
    CHECK(openDescriptors() == before + 1); // the winner's: the losers are closed
    CHECK(race.peer == boundTo(fourth));
    REQUIRE(race.attempts.size() == 4);
    CHECK(race.times[1] - race.times[0] >= shortly);
    CHECK(race.times[2] - race.times[1] >= shortly);
    CHECK(race.times[3] - race.times[0] < patience(5s));
}

TEST_CASE("a delay that is too short is taken for the shortest") {
    const Silent first(four);
    const PlainSocket second = listeningAt(otherFour);
    Race race({first.endpoint(), boundTo(second)}, -1ms);
    REQUIRE(race.pump());
    CHECK(race.times[1] - race.times[0] >= ConnectionRace::shortestDelay);
}

TEST_CASE("an early attempt that stands late wins all the same") {
    Silent first(four);
    const Silent second(otherFour);
    Race race({first.endpoint(), second.endpoint()}, 10ms);
    REQUIRE(pumpUntil([&] { return race.attempts.size() == 2; }));
    first.answer();
    REQUIRE(race.pump());
    CHECK(race.error == 0);
    CHECK(race.peer == first.endpoint());
}

TEST_CASE("when all fail, the first failure is told that came from the network, once and from the loop") {
    const Refusing refusing(four);
    const Refusing alsoRefusing(six);
    const Endpoint withoutScope{HostAddress("fe80::1"), 80};
    const Endpoint nothing;
    const std::ptrdiff_t before = openDescriptors();
    const auto failure = [](std::vector<Endpoint> peers) {
        const std::size_t count = peers.size();
        Race race(std::move(peers));
        CHECK(race.ended == 0);
        CHECK(race.pump());
        pumpIdle();
        CHECK(race.ended == 1);
        CHECK(race.connection.descriptor() == -1);
        CHECK(race.attempts.size() <= count);
        return std::pair(race.peer, race.error);
    };
    CHECK(failure({refusing.endpoint()}) == std::pair(refusing.endpoint(), ECONNREFUSED));
    CHECK(failure({alsoRefusing.endpoint(), refusing.endpoint()}) == std::pair(alsoRefusing.endpoint(), ECONNREFUSED));
    CHECK(failure({withoutScope, refusing.endpoint()}) == std::pair(refusing.endpoint(), ECONNREFUSED));
    CHECK(failure({refusing.endpoint(), withoutScope}) == std::pair(refusing.endpoint(), ECONNREFUSED));
    CHECK(failure({withoutScope}) == std::pair(withoutScope, EINVAL));
    CHECK(failure({nothing}) == std::pair(nothing, EADDRNOTAVAIL));
    CHECK(failure({}) == std::pair(nothing, EADDRNOTAVAIL));
    CHECK(openDescriptors() == before);
}

TEST_CASE("whoever prepares the descriptor may bind it, and addresses of the other family are skipped") {
    const PlainSocket first = listeningAt(six);
    const PlainSocket second = listeningAt(four);
    const Endpoint local{HostAddress("127.0.0.9"), 0};
    const auto bindToLocal = [&](int descriptor, const Endpoint& peer) {
        if (peer.address.protocol() != local.address.protocol())
            return EAFNOSUPPORT;
        sockaddr_storage name{};
        const auto size = static_cast<socklen_t>(local.address.toSockaddr(name, local.port));
        return ::bind(descriptor, reinterpret_cast<const sockaddr*>(&name), size) == 0 ? 0 : errno;
    };
    Race race({boundTo(first), boundTo(second)}, never, bindToLocal);
    REQUIRE(race.pump());
    CHECK(race.peer == boundTo(second));
    CHECK(boundTo(race.connection).address == local.address);

    Race none({boundTo(first)}, never, bindToLocal);
    REQUIRE(none.wait());
    CHECK(none.error == EAFNOSUPPORT);
}

TEST_CASE("a connection that stands at once is told of later, and closed if nobody wants it any more") {
    const PlainSocket listener = listeningAt(four);
    const std::ptrdiff_t before = openDescriptors();
    const auto connectBefore = [](int descriptor, const Endpoint& peer) {
        sockaddr_storage name{};
        const auto size = static_cast<socklen_t>(peer.address.toSockaddr(name, peer.port));
        ::connect(descriptor, reinterpret_cast<const sockaddr*>(&name), size);
        pollfd look{descriptor, POLLOUT, 0};
        ::poll(&look, 1, -1);
        return 0; // the next connect(2) only says that it stands
    };
    {
        Race race({boundTo(listener)}, never, connectBefore);
        CHECK(race.ended == 0);
        race.cancel();
        CHECK(race.ended == 0);
    }
    CHECK(openDescriptors() == before);
    Race race({boundTo(listener)}, never, connectBefore);
    CHECK(race.ended == 0);
    REQUIRE(race.pump());
    CHECK(race.peer == boundTo(listener));
}

TEST_CASE("cancelled at every stage, it says nothing and leaves nothing open") {
    const Silent silent(four);
    const Silent alsoSilent(otherFour);
    const Refusing refusing(thirdFour);
    const PlainSocket good = listeningAt(six);
    pumpIdle();
    const std::ptrdiff_t before = openDescriptors();
    const auto cancelled = [&](std::vector<Endpoint> peers, auto when) {
        Race race(std::move(peers), 10ms);
        CHECK(pumpUntil([&] { return when(race); }));
        race.cancel();
        pumpIdle();
        return race.ended == 0 && openDescriptors() == before;
    };
    const auto atOnce = [](const Race&) { return true; };
    CHECK(cancelled({}, atOnce));
    CHECK(cancelled({Endpoint()}, atOnce)); // failed already, and not told
    CHECK(cancelled({silent.endpoint()}, atOnce));
    CHECK(cancelled({boundTo(good)}, atOnce)); // connected already, and not told
    CHECK(cancelled({silent.endpoint(), alsoSilent.endpoint()},
                    [](const Race& race) { return race.attempts.size() == 2; }));
    CHECK(cancelled({silent.endpoint(), refusing.endpoint(), alsoSilent.endpoint(), boundTo(good)},
                    [](const Race& race) { return race.attempts.size() == 3; }));
}

TEST_CASE("destroyed by whom it tells, from the loop and in a wait, after success and failure") {
    const PlainSocket good = listeningAt(four);
    const Silent silent(otherFour);
    const Refusing refusing(thirdFour);
    const std::ptrdiff_t before = openDescriptors();
    for (const bool inWait : {false, true}) {
        for (const std::vector<Endpoint>& peers :
             {std::vector{boundTo(good)}, std::vector{refusing.endpoint()}, std::vector<Endpoint>{},
              std::vector{silent.endpoint(), boundTo(good)}}) {
            Race race(peers, 10ms);
            race.onEnd = [&] { race.cancel(); };
            CHECK((inWait ? race.wait() : race.pump()));
            race.connection.close();
        }
    }
    pumpIdle();
    CHECK(openDescriptors() == before);
}

TEST_CASE("an exception out of whom it tells leaves it whole") {
    const PlainSocket good = listeningAt(four);
    Race race({boundTo(good)});
    race.onEnd = [] { throw std::runtime_error("slot"); };
    CHECK_THROWS_AS(race.pump(), std::runtime_error);
    pumpIdle();
    CHECK(race.ended == 1);
}

TEST_CASE("a wait runs nothing else and keeps to its deadline, and the race goes on after it") {
    const Silent first(four);
    const PlainSocket second = listeningAt(otherFour);
    int others = 0;
    Timer timer;
    timer.timeout.connect([&] { ++others; });
    timer.start(0ms);
    EventLoop::current()->post([&] { ++others; });
    Race race({first.endpoint(), boundTo(second)}, 100ms);
    CHECK_FALSE(race.wait(Clock::now()));
    const auto begin = Clock::now();
    CHECK_FALSE(race.wait(begin + 20ms));
    CHECK(Clock::now() - begin >= 20ms);
    CHECK(race.wait(std::nullopt));
    CHECK(race.peer == boundTo(second));
    CHECK(others == 0);
    CHECK(pumpUntil([&] { return others >= 2; }));
    CHECK(race.ended == 1);
}

TEST_CASE("a wait in the slot in which its own turn is due takes that turn over") {
    const Silent first(four);
    const PlainSocket second = listeningAt(otherFour);
    Race race({first.endpoint(), boundTo(second)}, 10ms);
    while (Clock::now() < race.times.front() + 10ms)
        std::this_thread::yield();
    bool stood = false;
    EventLoop::current()->post([&] { stood = race.wait(); }); // before what is due in the same turn
    CHECK(pumpUntil([&] { return stood; }));
    pumpIdle();
    CHECK(race.ended == 1);
}

TEST_CASE("a race by waits alone, in a thread without a loop") {
    const Silent first(six);
    const PlainSocket second = listeningAt(four);
    Endpoint winner;
    std::thread([&] {
        Race race({first.endpoint(), boundTo(second)}, shortly);
        if (race.wait())
            winner = race.peer;
    }).join();
    CHECK(winner == boundTo(second));
}

TEST_CASE("a hundred races at once") {
    const Silent first(six);
    const Refusing second(four);
    const PlainSocket third = listeningAt(otherFour, 0, 1000);
    const std::ptrdiff_t before = openDescriptors();
    std::vector<std::unique_ptr<Race>> races;
    int stood = 0;
    for (int i = 0; i != 100; ++i) {
        races.push_back(
            std::make_unique<Race>(std::vector{first.endpoint(), second.endpoint(), boundTo(third)}, shortly));
        races.back()->onEnd = [&stood] { ++stood; };
    }
    CHECK(pumpUntil([&] { return stood == 100; }));
    for (const auto& each : races)
        CHECK(each->peer == boundTo(third));
    CHECK(openDescriptors() == before + 100);
    races.clear();
    CHECK(openDescriptors() == before);
}

TEST_CASE("without a descriptor left it fails and says so") {
    const PlainSocket listener = listeningAt(four);
    pumpIdle();
    rlimit before{};
    ::getrlimit(RLIMIT_NOFILE, &before);
    const int lowest = ::dup(0);
    ::close(lowest);
    const rlimit none{static_cast<rlim_t>(lowest), before.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &none);
    Race race({boundTo(listener), boundTo(listener)});
    CHECK(race.pump());
    ::setrlimit(RLIMIT_NOFILE, &before);
    CHECK(race.error == EMFILE);
}
