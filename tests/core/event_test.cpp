#include <halyard/core/event.h>

#include <halyard/core/event_loop.h>
#include <halyard/core/object.h>

#include "fresh_thread.h"
#include <logged.h>

#include <doctest/doctest.h>
#include <pump.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

using namespace halyard;
using namespace halyard::test;

namespace {

static_assert(!std::is_copy_constructible_v<Event> && !std::is_copy_assignable_v<Event>);
static_assert(std::has_virtual_destructor_v<Event>);
static_assert(std::is_base_of_v<Event, TimerEvent> && std::is_base_of_v<Event, ChildEvent>);

const int numberType = Event::registerType();

struct Number : Event {
    explicit Number(int its, std::shared_ptr<int> life = nullptr)
        : Event(numberType), number(its), alive(std::move(life)) {}
    int number;
    std::shared_ptr<int> alive;
};

struct Receiver : Object {
    using Object::Object;
    void customEvent(Event& event) override {
        got.push_back(static_cast<Number&>(event).number);
        const auto running = then; // which it may replace
        running();
    }
    void childEvent(ChildEvent& event) override {
        children.emplace_back(event.added() ? '+' : '-', event.child());
        CHECK(event.added() != event.removed());
        const auto running = thenChild;
        running();
    }
    std::vector<int> got;
    std::vector<std::pair<char, const Object*>> children;
    std::function<void()> then = [] {};
    std::function<void()> thenChild = [] {};
};

struct Filter : Object {
    Filter(std::string& to, char letter) : order(to), name(letter) {}
    bool eventFilter(Object* watched, Event& event) override {
        order += name;
        last = watched;
        type = event.type();
        const bool answer = takes;
        const auto running = then; // which it may replace, or delete us
        running();
        return answer;
    }
    std::string& order;
    char name;
    bool takes = false;
    const Object* last = nullptr;
    int type = Event::None;
    std::function<void()> then = [] {};
};

} // namespace

// --- posting and sending ---

TEST_CASE("registered types are different, and those of the program") {
    const int a = Event::registerType();
    const int b = Event::registerType();
    CHECK(a != b);
    CHECK(std::min(a, b) >= Event::User);
    CHECK(std::max(a, b) <= Event::MaxUser);
}

TEST_CASE("what is posted arrives in a coming turn, in the order of posting") {
    Receiver receiver;
    for (const int each : {1, 2, 3})
        CHECK(Object::postEvent(&receiver, std::make_unique<Number>(each)));
    CHECK(receiver.got.empty());
    EventLoop::current()->processEvents();
    CHECK(receiver.got == std::vector<int>{1, 2, 3});
}

TEST_CASE("events, posted tasks and queued slots of a thread keep their order") {
    Receiver receiver;
    Signal<> queued;
    std::string order;
    receiver.then = [&] { order += 'e'; };
    queued.connect(
        &receiver, [&] { order += 's'; }, ConnectionType::Queued);
    for (int i = 0; i != 3; ++i) {
        Object::postEvent(&receiver, std::make_unique<Number>(i));
        EventLoop::current()->post([&] { order += 't'; });
        queued();
    }
    EventLoop::current()->processEvents();
    CHECK(order == "etsetsets");
}

TEST_CASE("an event that a handler posts waits for the next turn") {
    Receiver receiver;
    receiver.then = [&] { Object::postEvent(&receiver, std::make_unique<Number>(0)); };
    receiver.then();
    for (std::size_t turn = 1; turn <= 5; ++turn) {
        EventLoop::current()->processEvents();
        CHECK(receiver.got.size() == turn);
    }
}

TEST_CASE("events of a receiver that dies first are dropped, and freed") {
    const auto alive = std::make_shared<int>();
    auto receiver = std::make_unique<Receiver>();
    int got = 0;
    receiver->then = [&] {
        ++got;
        receiver.reset();
    };
    for (int i = 0; i != 3; ++i)
        Object::postEvent(receiver.get(), std::make_unique<Number>(i, alive));
    SUBCASE("before the turn") { receiver.reset(); }
    SUBCASE("in the first one's handler") {}
    const int expected = receiver != nullptr ? 1 : 0;
    EventLoop::current()->processEvents();
    CHECK(got == expected);
    CHECK(alive.use_count() == 1);
}

TEST_CASE("every thread may post; nothing is lost, and the order of each stays") {
    constexpr int threads = 4;
    constexpr int posts = 10'000;
    Receiver receiver; // makes its Address only now, under all of them
    std::vector<std::thread> posters;
    for (int t = 0; t != threads; ++t)
        posters.emplace_back([&, t] {
            for (int i = 0; i != posts; ++i)
                Object::postEvent(&receiver, std::make_unique<Number>(t * posts + i));
        });
    CHECK(pumpUntil([&] { return receiver.got.size() == threads * posts; }));
    for (std::thread& each : posters)
        each.join();
    int next[threads] = {};
    bool inOrder = true;
    for (const int each : receiver.got)
        inOrder = inOrder && next[each / posts]++ == each % posts;
    CHECK(inOrder);
}

TEST_CASE("a receiver dies while others' events are under way") {
    onFreshThread([] {
        auto* const receiver = new Receiver;
        const auto alive = std::make_shared<int>();
        std::thread poster([&] {
            for (int i = 0; i != 1000; ++i)
                Object::postEvent(receiver, std::make_unique<Number>(i, alive));
        });
        poster.join();
        EventLoop::current()->post([&] { delete receiver; });
        pumpIdle();
        CHECK(alive.use_count() == 1);
    });
}

TEST_CASE("what cannot be posted or sent is refused with a sentence") {
    Logged logged;
    Receiver receiver;
    CHECK_FALSE(Object::postEvent(nullptr, std::make_unique<Number>(0)));
    CHECK_FALSE(Object::postEvent(&receiver, nullptr));
    Number number(1);
    CHECK_FALSE(Object::sendEvent(nullptr, number));
    CHECK(logged.linesWith("there is no") == 3);
    onFreshThread([&] { CHECK_FALSE(Object::sendEvent(&receiver, number)); });
    CHECK(logged.linesWith("another thread") == 1);
    CHECK(receiver.got.empty());
}

TEST_CASE("sending is at once, and says whether the event was taken") {
    Receiver receiver;
    Number number(7);
    CHECK(Object::sendEvent(&receiver, number));
    CHECK(receiver.got == std::vector<int>{7});
    Event unknown(Event::User - 1);
    CHECK_FALSE(Object::sendEvent(&receiver, unknown));
}

TEST_CASE("an exception leaves through the sender, or through the loop") {
    Receiver receiver;
    receiver.then = [] { throw 1; };
    Number number(7);
    CHECK_THROWS_AS(Object::sendEvent(&receiver, number), int);
    Object::postEvent(&receiver, std::make_unique<Number>(1));
    CHECK_THROWS_AS(EventLoop::current()->processEvents(), int);
}

// --- filters ---

TEST_CASE("filters see an event first, the last one installed before the others") {
    Receiver receiver;
    std::string order;
    Filter a(order, 'a');
    Filter b(order, 'b');
    Filter c(order, 'c');
    for (Filter* each : {&a, &b, &c})
        receiver.installEventFilter(each);
    Number number(1);
    CHECK(Object::sendEvent(&receiver, number));
    CHECK(order == "cba");
    CHECK(a.last == &receiver);
    CHECK(a.type == numberType);
    CHECK(receiver.got.size() == 1);

    receiver.installEventFilter(&a); // again: it is the last one now
    order.clear();
    Object::sendEvent(&receiver, number);
    CHECK(order == "acb");

    c.takes = true;
    order.clear();
    CHECK(Object::sendEvent(&receiver, number));
    CHECK(order == "ac");
    CHECK(receiver.got.size() == 2);

    receiver.removeEventFilter(&c);
    receiver.removeEventFilter(&c);
    receiver.removeEventFilter(nullptr);
    order.clear();
    Object::postEvent(&receiver, std::make_unique<Number>(2));
    EventLoop::current()->processEvents();
    CHECK(order == "ab");
    CHECK(receiver.got.size() == 3);
}

TEST_CASE("a filter may remove, install and delete filters, and delete the object") {
    auto receiver = std::make_unique<Receiver>();
    std::string order;
    auto a = std::make_unique<Filter>(order, 'a');
    auto b = std::make_unique<Filter>(order, 'b');
    auto c = std::make_unique<Filter>(order, 'c');
    for (Filter* each : {a.get(), b.get(), c.get()})
        receiver->installEventFilter(each);
    Number number(1);
    SUBCASE("remove itself and the next one") {
        c->then = [&] {
            receiver->removeEventFilter(c.get());
            receiver->removeEventFilter(b.get());
        };
        Object::sendEvent(receiver.get(), number);
        CHECK(order == "ca");
        Object::sendEvent(receiver.get(), number);
        CHECK(order == "caa");
    }
    SUBCASE("delete itself and the next one") {
        c->then = [&] {
            b.reset();
            c.reset();
        };
        Object::sendEvent(receiver.get(), number);
        CHECK(order == "ca");
    }
    SUBCASE("install another one, which starts with the next event") {
        Filter d(order, 'd');
        b->then = [&] { receiver->installEventFilter(&d); };
        Object::sendEvent(receiver.get(), number);
        CHECK(order == "cba");
        Object::sendEvent(receiver.get(), number);
        CHECK(order == "cbadcba");
    }
    SUBCASE("delete the object") {
        b->then = [&] { receiver.reset(); };
        CHECK(Object::sendEvent(receiver.get(), number));
        CHECK(order == "cb");
    }
    SUBCASE("send it another one") {
        b->then = [&] {
            b->then = [] {};
            Object::sendEvent(receiver.get(), number);
            receiver->removeEventFilter(a.get());
        };
        Object::sendEvent(receiver.get(), number);
        CHECK(order == "cbcba");
        CHECK(receiver->got.size() == 2);
    }
    SUBCASE("throw") {
        b->then = [] { throw 1; };
        CHECK_THROWS_AS(Object::sendEvent(receiver.get(), number), int);
        b->then = [] {};
        receiver->removeEventFilter(c.get());
        order.clear();
        Object::sendEvent(receiver.get(), number);
        CHECK(order == "ba");
    }
}

TEST_CASE("a filter that dies is forgotten, and one of another thread is refused") {
    Receiver receiver;
    std::string order;
    {
        Filter gone(order, 'g');
        receiver.installEventFilter(&gone);
    }
    Number number(1);
    CHECK(Object::sendEvent(&receiver, number));
    Logged logged;
    receiver.installEventFilter(nullptr);
    CHECK(logged.linesWith("there is no filter") == 1);
    onFreshThread([&] {
        Filter foreign(order, 'f');
        receiver.installEventFilter(&foreign);
    });
    CHECK(logged.linesWith("another thread") == 1);
    CHECK(order.empty());
}

TEST_CASE("an object may be its own filter, and one filter watch many") {
    std::string order;
    Filter self(order, 's');
    Receiver other;
    self.installEventFilter(&self);
    other.installEventFilter(&self);
    Number number(1);
    Object::sendEvent(&self, number);
    CHECK(self.last == &self);
    Object::sendEvent(&other, number);
    CHECK(self.last == &other);
    CHECK(order == "ss");
}

// --- children ---

TEST_CASE("a parent is told of children that come and go") {
    using Told = std::vector<std::pair<char, const Object*>>;
    Receiver a;
    Receiver b;
    auto child = std::make_unique<Object>(&a);
    const Object* const its = child.get();
    CHECK(a.children == Told{{'+', its}});
    child->setParent(&b);
    CHECK(a.children == Told{{'+', its}, {'-', its}});
    CHECK(b.children == Told{{'+', its}});
    child->setParent(&b); // to the end of the others: gone and come
    CHECK(b.children == Told{{'+', its}, {'-', its}, {'+', its}});
    child.reset();
    CHECK(b.children.size() == 4);
    CHECK(b.children.back().first == '-');
}

TEST_CASE("a parent that dies is not told of its children, a filter neither") {
    std::string order;
    Filter filter(order, 'f');
    auto parent = std::make_unique<Receiver>();
    new Object(parent.get());
    parent->installEventFilter(&filter);
    parent.reset();
    CHECK(order.empty());
}

TEST_CASE("a child whose coming its parent, or a filter of that, answers with an exception is not made") {
    Receiver parent;
    SUBCASE("the parent") {
        parent.thenChild = [&] {
            parent.thenChild = [] {};
            throw std::runtime_error("no children");
        };
        CHECK_THROWS_WITH(Object{&parent}, "no children");
        CHECK(parent.children.size() == 2);
        CHECK(parent.children.back().first == '-');
    }
    SUBCASE("a filter") {
        std::string order;
        Filter filter(order, 'f');
        parent.installEventFilter(&filter);
        filter.then = [&] {
            filter.then = [] {};
            throw std::runtime_error("no children");
        };
        CHECK_THROWS_WITH(Object{&parent}, "no children");
        CHECK(order == "ff");
    }
    CHECK(parent.Object::children().empty());
}

TEST_CASE("a child that is being destroyed comes to no parent") {
    Logged logged;
    Receiver parent;
    auto* const child = new Object(&parent);
    SUBCASE("when its parent is told that it goes") {
        parent.thenChild = [&] { child->setParent(&parent); };
        delete child;
    }
    SUBCASE("in its destroyed") {
        child->destroyed.connect([&](Object* dying) { dying->setParent(&parent); });
        delete child;
    }
    CHECK(parent.Object::children().empty());
    CHECK(logged.linesWith("the object is being destroyed") == 1);
}

TEST_CASE("who is told of a child may do anything to it and to the parents") {
    auto a = std::make_unique<Receiver>();
    auto b = std::make_unique<Receiver>();
    auto* const child = new Object;
    const Pointer<Object> guard(child);
    SUBCASE("delete the child that came") {
        b->thenChild = [&] {
            b->thenChild = [] {};
            delete child;
        };
        child->setParent(b.get());
        CHECK(b->children.size() == 2);
        CHECK_FALSE(guard);
    }
    SUBCASE("delete the parent it came to") {
        b->thenChild = [&] { b.reset(); };
        child->setParent(b.get());
        CHECK_FALSE(guard);
    }
    SUBCASE("delete the child when it goes") {
        child->setParent(a.get());
        a->thenChild = [&] { delete child; };
        child->setParent(b.get());
        CHECK_FALSE(guard);
        CHECK(b->children.size() == 1); // it went
    }
    SUBCASE("take it back when it goes") {
        child->setParent(a.get());
        a->thenChild = [&] {
            a->thenChild = [] {};
            child->setParent(a.get());
        };
        child->setParent(b.get());
        CHECK(child->parent() == a.get());
        CHECK(b->children.back().first == '-');
    }
    SUBCASE("delete the new parent when it goes") {
        child->setParent(a.get());
        a->thenChild = [&] { b.reset(); };
        child->setParent(b.get());
        CHECK_FALSE(guard);
    }
    if (guard)
        delete child;
}
