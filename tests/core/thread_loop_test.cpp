#include <halyard/core/event_loop.h>

#include <halyard/core/fd_notifier.h>
#include <halyard/core/object.h>
#include <halyard/core/timer.h>
#include <halyard/signals/sanitizers.h>

#include "fresh_thread.h"
#include "pipe.h"
#include "turn_counter.h"

#include <logged.h>
#include <pump.h>

#include <dirent.h>
#include <doctest/doctest.h>
#include <poll.h>
#include <pump.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

using namespace halyard;
using namespace halyard::test;
using namespace std::chrono_literals;

namespace {

static_assert(std::is_same_v<decltype(std::declval<EventLoop&>().quit()), void>);
static_assert(std::is_same_v<decltype(std::declval<EventLoop&>().post([] {})), void>);

/// A std::thread that runs its loop until this ends.
class LoopThread {
  public:
    LoopThread() {
        std::promise<EventLoop*> made;
        auto loop = made.get_future();
        thread_ = std::thread([&made] {
            EventLoop* const mine = EventLoop::current();
            mine->post([&made, mine] { made.set_value(mine); });
            mine->exec();
        });
        loop_ = loop.get();
    }
    LoopThread(const LoopThread&) = delete;
    LoopThread& operator=(const LoopThread&) = delete;
    ~LoopThread() {
        loop_->quit();
        thread_.join();
    }
    EventLoop& loop() { return *loop_; }

  private:
    std::thread thread_;
    EventLoop* loop_ = nullptr;
};

int openDescriptors() {
    int count = 0;
    DIR* const directory = ::opendir("/proc/self/fd");
    REQUIRE(directory != nullptr);
    while (::readdir(directory) != nullptr)
        ++count;
    ::closedir(directory);
    return count;
}

} // namespace

TEST_CASE("timers and notifiers work in a plain std::thread, without any loop made by hand") {
    onFreshThread([] {
        int fired = 0;
        Timer timer;
        timer.timeout.connect([&] { ++fired; });
        timer.start(1ms);
        const Pipe pipe;
        std::size_t read = 0;
        FdNotifier notifier(pipe.reader(), FdNotifier::Read);
        notifier.activated.connect([&](int) { read += pipe.drain(); });
        CHECK(pipe.put("four"));
        CHECK(pumpUntil([&] { return fired >= 3 && read == 4; }));
    });
}

TEST_CASE("what threads post arrives in the order of each") {
    constexpr int threads = 4;
#if defined(HALYARD_ADDRESS_SANITIZER) || defined(HALYARD_THREAD_SANITIZER)
    constexpr int posts = 100'000; // they take twenty times as long, and as much memory
#else
    constexpr int posts = 1'000'000;
#endif
    EventLoop& loop = *EventLoop::current();
    int next[threads] = {};
    bool inOrder = true;
    int arrived = 0;
    std::vector<std::thread> posters;
    for (int t = 0; t != threads; ++t)
        posters.emplace_back([&, t] {
            for (int i = 0; i != posts; ++i)
                loop.post([&, t, i] {
                    inOrder = inOrder && next[t]++ == i;
                    ++arrived;
                });
        });
    CHECK(pumpUntil([&] { return arrived == threads * posts; }, patience(30s)));
    for (std::thread& each : posters)
        each.join();
    CHECK(inOrder);
    CHECK(arrived == threads * posts);
}

TEST_CASE("posts of the own thread and of others mix, and none is lost") {
    constexpr int posts = 20'000;
    EventLoop& loop = *EventLoop::current();
    int foreign = 0;
    int own = 0;
    std::thread other([&] {
        for (int i = 0; i != posts; ++i)
            loop.post([&] {
                ++foreign;
                loop.post([&] { ++own; });
            });
    });
    CHECK(pumpUntil([&] { return foreign == posts && own == posts; }, patience(30s)));
    other.join();
}

TEST_CASE("a post from another thread wakes a loop that sleeps") {
    EventLoop& loop = *EventLoop::current();
    pumpIdle();
    std::thread other([&] {
        std::this_thread::sleep_for(20ms); // so that the loop sleeps by then
        loop.post([&] { loop.exit(5); });
    });
    TurnCounter counter(loop);
    CHECK(loop.exec() == 5);
    CHECK(counter.turns() <= 3);
    other.join();
}

TEST_CASE("two loops that wake each other never miss one call") {
    constexpr int rounds = 10'000;
    EventLoop& here = *EventLoop::current();
    LoopThread there;
    int count = 0;
    struct Ball {
        EventLoop& mine;
        EventLoop& theirs;
        int& count;
        void operator()() const {
            if (++count == rounds)
                mine.quit();
            else
                theirs.post([ball = *this] { ball.mine.post(ball); });
        }
    };
    here.post(Ball{here, there.loop(), count});
    here.exec();
    CHECK(count == rounds);
}

TEST_CASE("quit from another thread ends exec promptly") {
    EventLoop& loop = *EventLoop::current();
    std::thread other([&] {
        std::this_thread::sleep_for(60ms); // so that the loop sleeps by then
        loop.quit();
    });
    CHECK(loop.exec() == 0);
    other.join();
}

TEST_CASE("a posted task may end the loop, and its thread, before post() has returned") {
    for (int round = 0; round != 500; ++round) {
        std::promise<EventLoop*> made;
        auto loop = made.get_future();
        std::thread there([&made] {
            EventLoop& mine = *EventLoop::current();
            mine.post([&made, &mine] { made.set_value(&mine); });
            mine.exec();
        });
        EventLoop& its = *loop.get();
        if (round % 2 != 0)
            its.post([&its] { its.quit(); });
        else
            its.quit();
        there.join();
    }
}

TEST_CASE("exit from another thread ends the innermost exec that runs when it arrives") {
    EventLoop& loop = *EventLoop::current();
    std::vector<int> codes;
    std::thread other;
    loop.post([&] {
        other = std::thread([&] { loop.exit(7); });
        codes.push_back(loop.exec());
        loop.exit(1);
    });
    codes.push_back(loop.exec());
    other.join();
    CHECK(codes == std::vector{7, 1});
}

TEST_CASE("exit from another thread is ignored where no exec runs") {
    EventLoop& loop = *EventLoop::current();
    onFreshThread([&] { loop.exit(7); });
    pumpIdle();
    loop.post([&] { loop.exit(2); });
    CHECK(loop.exec() == 2);
}

TEST_CASE("a task that another thread posted dies on the loop's thread") {
    struct Witness {
        explicit Witness(std::thread::id& id) : where(&id) {}
        Witness(Witness&& other) noexcept : where(std::exchange(other.where, nullptr)) {}
        Witness(const Witness&) = delete;
        Witness& operator=(const Witness&) = delete;
        Witness& operator=(Witness&&) = delete;
        ~Witness() {
            if (where != nullptr)
                *where = std::this_thread::get_id();
        }
        void operator()() const {}
        std::thread::id* where;
    };
    std::thread::id where;
    EventLoop& loop = *EventLoop::current();
    onFreshThread([&] { loop.post(Witness(where)); });
    CHECK(where == std::thread::id());
    loop.processEvents();
    CHECK(where == std::this_thread::get_id());
}

TEST_CASE("an emission waits for a slot of a busy loop, whoever runs that loop's turns") {
    Logged logged;
    void (*turn)(EventLoop&) = nullptr;
    SUBCASE("the program") {
        turn = [](EventLoop& loop) { loop.processEvents(1s); };
    }
    SUBCASE("a foreign loop") {
        turn = [](EventLoop& loop) {
            const auto wait = std::chrono::milliseconds(loop.backendTimeout().value_or(1s));
            pollfd readable{loop.backendFd(), POLLIN, 0};
            ::poll(&readable, 1, static_cast<int>(wait.count()));
            loop.driveOnce();
        };
    }
    SUBCASE("a foreign loop that sleeps long") {
        turn = [](EventLoop& loop) {
            loop.backendTimeout();
            std::this_thread::sleep_for(400ms);
            loop.driveOnce();
        };
    }
    std::atomic<bool> ends = false;
    std::promise<Object*> made;
    std::thread thread([&] {
        Object receiver;
        made.set_value(&receiver);
        while (!ends)
            turn(*EventLoop::current());
    });
    Object* const receiver = made.get_future().get();
    Signal<> asks;
    int heard = 0;
    asks.connect(
        receiver, [&] { ++heard; }, ConnectionType::BlockingQueued);
    receiver->loop()->post([] { std::this_thread::sleep_for(400ms); }); // three looks of 50 ms find it busy
    asks();
    CHECK(heard == 1);
    receiver->loop()->post([&] { ends = true; });
    thread.join();
    CHECK(logged.lines().empty());
}

TEST_CASE("loops of many threads come and go and leave no descriptor behind") {
    onFreshThread([] { EventLoop::current()->processEvents(); }); // what libuv keeps for the process
    const int before = openDescriptors();
    std::atomic<int> ran = 0;
    for (int round = 0; round != 10; ++round) {
        std::vector<std::thread> threads;
        for (int t = 0; t != 4; ++t)
            threads.emplace_back([&] {
                EventLoop loop;
                Timer timer;
                timer.timeout.connect([&] {
                    ++ran;
                    loop.quit();
                });
                timer.start(1ms);
                loop.exec();
            });
        for (std::thread& each : threads)
            each.join();
    }
    CHECK(ran == 40);
    CHECK(openDescriptors() == before);
}

TEST_CASE("objects outlive the loop of their thread, and are idle then") {
    std::unique_ptr<Object> object;
    std::unique_ptr<Timer> timer;
    std::unique_ptr<Object> asked;
    int fired = 0;
    onFreshThread([&] {
        object = std::make_unique<Object>();
        timer = std::make_unique<Timer>();
        timer->timeout.connect([&] { ++fired; });
        timer->start(0ms);
        asked = std::make_unique<Object>();
    });
    CHECK(object->loop() == nullptr);
    CHECK(timer->loop() == nullptr);
    asked->deleteLater(); // by nobody
    pumpIdle();
    CHECK(fired == 0);
    object->setObjectName("still there");
    object.reset();
    timer.reset();
    asked.reset();
    CHECK(fired == 0);
}

TEST_CASE("a call queued to an object whose loop has ended is dropped") {
    struct Sender : Object {
        Signal<> said{this};
    };
    std::unique_ptr<Object> receiver;
    std::unique_ptr<Sender> sender;
    int heard = 0;
    onFreshThread([&] {
        receiver = std::make_unique<Object>();
        sender = std::make_unique<Sender>();
        sender->said.connect(
            receiver.get(), [&] { ++heard; }, ConnectionType::Queued);
    });
    sender->said();
    CHECK(heard == 0);
    sender.reset();
    receiver.reset();
}

TEST_CASE("a thread whose first object is its last word leaves nothing behind") {
    onFreshThread([] { const Object object; });
    onFreshThread([] { EventLoop::current()->post([] {}); });
    onFreshThread([] { const Timer timer; });
    onFreshThread([] { const EventLoop loop; });
    onFreshThread([] {
        EventLoop::current();
        const EventLoop loop;
    });
    onFreshThread([] {
        static thread_local Object object;
        static thread_local Timer timer;
        timer.start(1h);
        CHECK(object.loop() == timer.loop());
    });
}
