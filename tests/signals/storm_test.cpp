#include <halyard/signals/signal.h>

#include "worker.h"

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <random>
#include <thread>
#include <utility>
#include <vector>

// Several threads do everything at once to the same few signals and receivers. What they can count on is counted; what
// they cannot see, ThreadSanitizer and AddressSanitizer do.

using namespace halyard;

namespace {

constexpr int threads = 4;
constexpr int operations = 100'000;

struct Sender : Tracked {
    Signal<int, int> changed{this};
};

struct Listener : Tracked {
    ~Listener() { endConnections(); }
    void hear(int, int) { ++heard; }
    long heard = 0;
};

/// Does `work(i)` on each of the workers at once, and waits for all of them.
template <class Work>
void onAll(std::array<Worker, threads>& workers, Work work) {
    std::vector<std::thread> callers;
    for (std::size_t i = 0; i != workers.size(); ++i)
        callers.emplace_back([&, i] { workers[i].call([&, i] { work(static_cast<int>(i)); }); });
    for (std::thread& each : callers)
        each.join();
}

} // namespace

TEST_CASE("what each thread emits arrives at each receiver, all of it, in the order of each emitting thread") {
    std::array<Worker, threads> workers;
    Sender sender;
    struct Ordered : Tracked {
        ~Ordered() { endConnections(); }
        void hear(int from, int number) { inOrder = inOrder && number == next[static_cast<std::size_t>(from)]++; }
        std::array<int, threads> next{};
        bool inOrder = true;
    };
    std::array<std::unique_ptr<Ordered>, threads> receivers;
    onAll(workers, [&](int me) {
        auto& mine = receivers[static_cast<std::size_t>(me)];
        mine = std::make_unique<Ordered>();
        sender.changed.connect(mine.get(), &Ordered::hear);
    });
    constexpr int emissions = operations / 10;
    onAll(workers, [&](int me) {
        for (int i = 0; i != emissions; ++i)
            sender.changed(me, i);
    });
    onAll(workers, [&](int me) {
        auto& mine = receivers[static_cast<std::size_t>(me)];
        CHECK(mine->inOrder);
        for (const int each : mine->next)
            CHECK(each == emissions);
        mine.reset();
    });
    CHECK(sender.changed.connectionCount() == 0);
}

TEST_CASE("threads connect, disconnect, emit and destroy at once, and every one gets what it is owed") {
    std::array<Worker, threads> workers;
    std::array<std::unique_ptr<Sender>, threads> senders;
    onAll(workers, [&](int me) { senders[static_cast<std::size_t>(me)] = std::make_unique<Sender>(); });
    std::array<long, threads> connected{};
    std::array<long, threads> ended{};
    onAll(workers, [&](int me) {
        std::mt19937 random(static_cast<std::uint32_t>(me) + 1);
        std::vector<Connection> mine;
        std::vector<std::unique_ptr<Listener>> listeners;
        const auto pick = [&](std::size_t below) { return static_cast<std::size_t>(random() % below); };
        for (int i = 0; i != operations; ++i) {
            Sender& sender = *senders[pick(senders.size())];
            switch (pick(8)) {
            case 0:
            case 1:
                if (listeners.size() < 8)
                    listeners.push_back(std::make_unique<Listener>());
                mine.push_back(sender.changed.connect(listeners[pick(listeners.size())].get(), &Listener::hear));
                CHECK(mine.back().isConnected());
                ++connected[static_cast<std::size_t>(me)];
                break;
            case 2:
            case 3:
                if (!mine.empty()) {
                    const std::size_t which = pick(mine.size());
                    ended[static_cast<std::size_t>(me)] += mine[which].disconnect() ? 1 : 0;
                    CHECK_FALSE(mine[which].isConnected());
                    std::swap(mine[which], mine.back());
                    mine.pop_back();
                }
                break;
            case 4:
                if (!mine.empty())
                    mine[pick(mine.size())].setBlocked(pick(2) == 0);
                break;
            case 5:
                if (!listeners.empty() && pick(4) == 0) {
                    const std::size_t which = pick(listeners.size());
                    std::swap(listeners[which], listeners.back());
                    listeners.pop_back();
                }
                break;
            default:
                sender.changed(me, i);
            }
            if (mine.size() > 12) {
                ended[static_cast<std::size_t>(me)] += mine.front().disconnect() ? 1 : 0;
                mine.erase(mine.begin());
            }
        }
        // Silence after a disconnect on the receiver's thread: calls that are queued here run no more.
        for (Connection& each : mine)
            each.disconnect();
        std::vector<long> heard;
        for (const auto& each : listeners)
            heard.push_back(each->heard);
        for (std::size_t i = 0; i != listeners.size(); ++i)
            CHECK(listeners[i]->heard == heard[i]);
        listeners.clear();
    });
    for (int i = 0; i != threads; ++i)
        CHECK(connected[static_cast<std::size_t>(i)] > operations / 8);
    for (const auto& each : senders)
        CHECK(each->changed.connectionCount() == 0);
    onAll(workers, [&](int me) { senders[static_cast<std::size_t>(me)].reset(); });
}

TEST_CASE("after a disconnect on the receiver's thread has returned it hears nothing any more, whoever emits") {
    Worker worker;
    Sender sender;
    std::atomic<bool> stop = false;
    std::thread emitter([&] {
        for (int i = 0; !stop; ++i)
            sender.changed(0, i);
    });
    std::unique_ptr<Listener> listener;
    worker.call([&] { listener = std::make_unique<Listener>(); });
    for (int round = 0; round != operations / 100; ++round) {
        Connection connection = sender.changed.connect(listener.get(), &Listener::hear);
        long before = 0;
        worker.call([&] { before = listener->heard; });
        const bool waits = round % 10 == 0; // else the disconnect comes as early as it likes
        for (bool heardSomething = !waits; !heardSomething;)
            worker.call([&] { heardSomething = listener->heard != before; });
        long heard = 0;
        worker.call([&] {
            CHECK(connection.disconnect());
            heard = listener->heard;
        });
        worker.call([&] { CHECK(listener->heard == heard); });
    }
    stop = true;
    emitter.join();
    worker.call([&] { listener.reset(); });
    CHECK(sender.changed.connectionCount() == 0);
}

TEST_CASE("objects die on their threads while others emit to them") {
    std::array<Worker, threads> workers;
    Sender sender;
    std::atomic<bool> stop = false;
    std::atomic<long> emitted = 0;
    std::thread emitter([&] {
        for (int i = 0; !stop; ++i) {
            sender.changed(0, i);
            ++emitted;
        }
    });
    onAll(workers, [&](int) {
        for (int i = 0; i != operations / 40; ++i) {
            Listener listener;
            sender.changed.connect(&listener, &Listener::hear);
            sender.changed.connect(&listener, [](int, int) {});
        }
    });
    stop = true;
    emitter.join();
    CHECK(emitted > 0);
    CHECK(sender.changed.connectionCount() == 0);
}
