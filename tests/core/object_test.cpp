#include <halyard/core/object.h>

#include <halyard/core/event_loop.h>
#include <halyard/core/timer.h>

#include "fresh_thread.h"
#include <logged.h>

#include <doctest/doctest.h>
#include <pump.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

using namespace halyard;
using namespace halyard::test;
using namespace std::chrono_literals;

namespace {

static_assert(std::is_base_of_v<Tracked, Object>);
static_assert(!std::is_copy_constructible_v<Object> && !std::is_copy_assignable_v<Object>);
static_assert(!std::is_move_constructible_v<Object> && !std::is_move_assignable_v<Object>);
static_assert(std::has_virtual_destructor_v<Object>);
static_assert(std::is_default_constructible_v<Object> && !std::is_convertible_v<Object*, Object>);
static_assert(noexcept(std::declval<const Object&>().parent()));
static_assert(noexcept(std::declval<Object&>().blockSignals(true)));
static_assert(sizeof(Object) <= 96, "there may be hundreds of thousands");
static_assert(!std::is_copy_constructible_v<SignalBlocker> && !std::is_copy_assignable_v<SignalBlocker>);
static_assert(std::is_nothrow_constructible_v<SignalBlocker, Object&>);
static_assert(std::is_nothrow_constructible_v<SignalBlocker, Object*>);
static_assert(!std::is_convertible_v<Object*, SignalBlocker>);

/// Says when it goes.
struct Named : Object {
    Named(std::string name, std::string& gone, Object* parent = nullptr) : Object(parent), gone_(gone) {
        setObjectName(std::move(name));
    }
    ~Named() override {
        gone_ += objectName();
        atEnd();
    }
    void hear() { ++heard; }
    void hearNumber(int number) { heard += number; }

    std::function<void()> atEnd = [] {};
    int heard = 0;
    Signal<> said{this};
    Signal<int> counted{this};

  private:
    std::string& gone_;
};

std::vector<const Object*> childrenOf(const Object& parent) {
    const auto all = parent.children();
    return {all.begin(), all.end()};
}

} // namespace

// --- tree ---

TEST_CASE("a fresh object has no parent, no children, no name and a loop") {
    const Object object;
    CHECK(object.parent() == nullptr);
    CHECK(object.children().empty());
    CHECK(object.objectName().empty());
    CHECK_FALSE(object.signalsBlocked());
    CHECK(object.loop() == EventLoop::current());
}

TEST_CASE("children stand in the order of their coming, and a new parent puts them last") {
    Object parent;
    Object other;
    Object a(&parent);
    Object b(&parent);
    Object c(&parent);
    CHECK(a.parent() == &parent);
    CHECK(childrenOf(parent) == std::vector<const Object*>{&a, &b, &c});
    a.setParent(&other);
    CHECK(childrenOf(parent) == std::vector<const Object*>{&b, &c});
    CHECK(childrenOf(other) == std::vector<const Object*>{&a});
    a.setParent(&parent);
    CHECK(childrenOf(parent) == std::vector<const Object*>{&b, &c, &a});
    b.setParent(&parent);
    CHECK(childrenOf(parent) == std::vector<const Object*>{&c, &a, &b});
    c.setParent(nullptr);
    CHECK(c.parent() == nullptr);
    CHECK(childrenOf(parent) == std::vector<const Object*>{&a, &b});
    CHECK(other.children().empty());
}

TEST_CASE("a parent goes before its children, and they in the order of their coming") {
    std::string gone;
    auto parent = std::make_unique<Named>("P", gone);
    parent->destroyed.connect([&](Object*) { gone += 'd'; });
    new Named("0", gone, parent.get());
    auto* const one = new Named("1", gone, parent.get());
    new Named("2", gone, parent.get());
    new Named("a", gone, one);
    parent.reset();
    CHECK(gone == "Pd01a2");
}

TEST_CASE("an object that is deleted leaves its parent") {
    Object parent;
    auto a = std::make_unique<Object>(&parent);
    Object b(&parent);
    a.reset();
    CHECK(childrenOf(parent) == std::vector<const Object*>{&b});
}

TEST_CASE("no object comes below itself") {
    Logged logged;
    Object top;
    Object middle(&top);
    Object bottom(&middle);
    top.setParent(&top);
    CHECK(top.parent() == nullptr);
    top.setParent(&bottom);
    CHECK(top.parent() == nullptr);
    middle.setParent(&bottom);
    CHECK(middle.parent() == &top);
    CHECK(logged.linesWith("below itself") == 3);
    bottom.setParent(&top);
    middle.setParent(&bottom);
    CHECK(middle.parent() == &bottom);
    CHECK(logged.lines().empty());
    middle.setParent(nullptr);
}

TEST_CASE("a parent on another thread is refused") {
    Logged logged;
    Object parent;
    onFreshThread([&] {
        const Object child(&parent);
        CHECK(child.parent() == nullptr);
        Object other;
        other.setParent(&parent);
        CHECK(other.parent() == nullptr);
    });
    CHECK(parent.children().empty());
    CHECK(logged.linesWith("another thread") == 2);
}

TEST_CASE("siblings may delete each other while their parent deletes them") {
    std::string gone;
    auto parent = std::make_unique<Named>("P", gone);
    auto* const a = new Named("a", gone, parent.get());
    auto* const b = new Named("b", gone, parent.get());
    auto* const c = new Named("c", gone, parent.get());
    new Named("d", gone, parent.get());
    SUBCASE("the next one") {
        a->atEnd = [&] { delete b; };
        parent.reset();
        CHECK(gone == "Pabcd");
    }
    SUBCASE("the last but one") {
        a->atEnd = [&] { delete c; };
        parent.reset();
        CHECK(gone == "Pacbd");
    }
    SUBCASE("one after the other") {
        a->atEnd = [&] { delete c; };
        c->atEnd = [&] { delete b; };
        parent.reset();
        CHECK(gone == "Pacbd");
    }
    SUBCASE("each in its destroyed") {
        a->destroyed.connect([&] { delete b; });
        b->destroyed.connect([&] { delete c; });
        parent.reset();
        CHECK(gone == "Pabcd");
    }
    SUBCASE("outside of that, too") {
        a->destroyed.connect([&] { delete b; });
        delete a;
        CHECK(childrenOf(*parent).size() == 2);
        CHECK(gone == "ab");
        parent.reset();
        CHECK(gone == "abPcd");
    }
}

TEST_CASE("a child may leave while its parent deletes the others, and lives on") {
    std::string gone;
    auto parent = std::make_unique<Object>();
    auto* const a = new Named("a", gone, parent.get());
    auto* const b = new Named("b", gone, parent.get());
    a->destroyed.connect([&] { b->setParent(nullptr); });
    parent.reset();
    CHECK(gone == "a");
    CHECK(b->parent() == nullptr);
    delete b;
}

TEST_CASE("nothing becomes a child of an object that is being destroyed") {
    Logged logged;
    Object orphan;
    auto parent = std::make_unique<Object>();
    new Object(parent.get());
    parent->destroyed.connect([&](Object* dying) {
        orphan.setParent(dying);
        CHECK(orphan.parent() == nullptr);
    });
    parent.reset();
    CHECK(logged.linesWith("being destroyed") == 1);
}

TEST_CASE("a child sees its parent in its destroyed, and may delete it there") {
    std::string gone;
    auto* const parent = new Named("P", gone);
    const Pointer<Object> guard(parent);
    auto* const child = new Named("c", gone, parent);
    new Named("s", gone, parent);
    child->destroyed.connect([&](Object* dying) {
        CHECK(dying->parent() == parent);
        delete parent;
    });
    delete child;
    CHECK_FALSE(guard);
    CHECK(gone == "cPs");
}

TEST_CASE("a child may delete its children, its parent and its grandparent in its destroyed") {
    std::string gone;
    auto* const top = new Named("t", gone);
    auto* const middle = new Named("m", gone, top);
    auto* const bottom = new Named("b", gone, middle);
    auto* const below = new Named("x", gone, bottom);
    bottom->destroyed.connect([&] {
        delete below;
        delete middle;
        delete top;
    });
    SUBCASE("deleted by hand") { delete bottom; }
    SUBCASE("deleted in the loop") {
        bottom->deleteLater();
        pumpIdle();
    }
    CHECK(gone == "bxmt");
}

TEST_CASE("a hundred thousand children come and go in random order quickly") {
    constexpr std::size_t count = 100'000;
    std::mt19937 random(11);
    const auto begin = std::chrono::steady_clock::now();
    {
        Object parent;
        std::vector<Object*> all;
        for (std::size_t i = 0; i != count; ++i)
            all.push_back(new Object(&parent));
        CHECK(parent.children().size() == count);
        std::shuffle(all.begin(), all.end(), random);
        for (std::size_t i = 0; i != count / 2; ++i) {
            delete all[i];
            all[i] = i % 2 == 0 ? new Object(&parent) : nullptr;
        }
        std::erase(all, nullptr);
        CHECK(parent.children().size() == all.size());
        std::shuffle(all.begin(), all.end(), random);
        for (std::size_t i = 0; i != all.size() / 2; ++i)
            all[i]->setParent(nullptr);
        CHECK(parent.children().size() == all.size() - all.size() / 2);
        for (std::size_t i = 0; i != all.size() / 2; ++i)
            delete all[i];
        std::vector<Object*> inOrder(parent.children().begin(), parent.children().end());
        for (std::size_t i = 0; i < inOrder.size(); i += 3) {
            delete inOrder[i];
            inOrder[i] = nullptr;
        }
        std::erase(inOrder, nullptr);
        CHECK(std::equal(inOrder.begin(), inOrder.end(), parent.children().begin(), parent.children().end()));
    }
    CHECK(std::chrono::steady_clock::now() - begin < patience(5s));
}

// --- name ---

TEST_CASE("a name is told when it changes") {
    Object object;
    std::vector<std::string> told;
    object.objectNameChanged.connect([&](const std::string& name) { told.push_back(name); });
    object.setObjectName("");
    object.setObjectName("one");
    object.setObjectName("one");
    object.setObjectName("two");
    object.setObjectName("");
    CHECK(object.objectName().empty());
    CHECK(told == std::vector<std::string>{"one", "two", ""});
}

TEST_CASE("a slot of objectNameChanged keeps the name that it was told, whatever becomes of the object") {
    const std::string longName = "a name that is too long to stand in the string itself";
    for (const bool dies : {true, false}) {
        CAPTURE(dies);
        auto* object = new Object;
        std::vector<std::string> told;
        object->objectNameChanged.connect([&](const std::string& name) {
            if (dies)
                delete object;
            else
                object->setObjectName("another");
            told.push_back(name);
        });
        object->setObjectName(longName);
        CHECK(told == (dies ? std::vector{longName} : std::vector<std::string>{"another", longName}));
        if (!dies)
            delete object;
    }
}

// --- destroyed ---

TEST_CASE("destroyed comes once, with guarded pointers null and connections into the object ended") {
    std::string gone;
    Named sender("s", gone);
    auto* const object = new Named("o", gone);
    Pointer<Object> guard(object);
    const Connection into = sender.said.connect(object, &Named::hear);
    int emitted = 0;
    object->destroyed.connect([&](Object* dying) {
        ++emitted;
        CHECK(dying == static_cast<Object*>(object));
        CHECK_FALSE(guard);
        CHECK_FALSE(into.isConnected());
        CHECK(gone == "o");
    });
    delete object;
    CHECK(emitted == 1);
}

TEST_CASE("destroyed is emitted whatever is blocked") {
    int emitted = 0;
    {
        Object object;
        object.blockSignals(true);
        object.destroyed.connect([&] { ++emitted; });
    }
    CHECK(emitted == 1);
}

TEST_CASE("connections made into an object in its own destroyed end with it") {
    std::string gone;
    Named sender("s", gone);
    auto* const object = new Named("o", gone);
    int called = 0;
    object->destroyed.connect([&](Object* dying) { sender.said.connect(dying, [&] { ++called; }); });
    delete object;
    sender.said();
    CHECK(called == 0);
    CHECK(sender.said.connectionCount() == 0);
}

TEST_CASE("a slot of destroyed may delete other receivers and objects of the same emission") {
    std::string gone;
    auto* const object = new Named("o", gone);
    auto* const first = new Named("1", gone);
    auto* const second = new Named("2", gone);
    object->destroyed.connect(first, [&] {
        delete second;
        delete first;
    });
    object->destroyed.connect(second, [&] { gone += '!'; });
    delete object;
    CHECK(gone == "o21");
}

TEST_CASE("deleteLater of an object that is being destroyed changes nothing") {
    EventLoop& loop = *EventLoop::current();
    SUBCASE("in its destroyed") {
        auto* const object = new Object;
        object->destroyed.connect([](Object* dying) { dying->deleteLater(); });
        delete object;
    }
    SUBCASE("in the destroyed of its child") {
        auto* const parent = new Object;
        auto* const child = new Object(parent);
        child->destroyed.connect([parent] { parent->deleteLater(); });
        delete parent;
    }
    CHECK_FALSE(loop.processEvents());
}

// --- blocking ---

TEST_CASE("while blocked no signal of the object reaches a slot") {
    std::string gone;
    Named object("o", gone);
    int heard = 0;
    object.said.connect([&] { ++heard; });
    object.objectNameChanged.connect([&] { ++heard; });
    CHECK_FALSE(object.blockSignals(true));
    CHECK(object.signalsBlocked());
    CHECK(object.blockSignals(true));
    object.said();
    object.setObjectName("p");
    CHECK(heard == 0);
    CHECK(object.blockSignals(false));
    CHECK_FALSE(object.signalsBlocked());
    object.said();
    CHECK(heard == 1);
}

TEST_CASE("a signal blocker sets what was set before") {
    Object object;
    {
        const SignalBlocker outer(object);
        CHECK(object.signalsBlocked());
        {
            const SignalBlocker inner(&object);
            CHECK(object.signalsBlocked());
        }
        CHECK(object.signalsBlocked());
    }
    CHECK_FALSE(object.signalsBlocked());
    object.blockSignals(true);
    { const SignalBlocker blocker(object); }
    CHECK(object.signalsBlocked());
}

TEST_CASE("a signal blocker of nothing, or of an object that goes, is harmless") {
    const SignalBlocker nothing(nullptr);
    auto object = std::make_unique<Object>();
    const SignalBlocker blocker(*object);
    object.reset();
}

// --- the free forms ---

TEST_CASE("connect takes a sender's signal and a member, a function with context, or a function") {
    std::string gone;
    Named sender("s", gone);
    auto receiver = std::make_unique<Named>("r", gone);
    int heard = 0;
    CHECK(Object::connect(&sender, &Named::said, receiver.get(), &Named::hear).isConnected());
    CHECK(Object::connect(&sender, &Named::counted, receiver.get(), &Named::hearNumber).isConnected());
    CHECK(Object::connect(&sender, &Named::said, receiver.get(), [&] { ++heard; }).isConnected());
    CHECK(Object::connect(&sender, &Named::said, [&] { ++heard; }).isConnected());
    CHECK(Object::connect(&sender, &Named::objectNameChanged, receiver.get(), &Named::hear).isConnected());
    sender.said();
    sender.counted(40);
    sender.setObjectName("t");
    CHECK(receiver->heard == 42);
    CHECK(heard == 2);
    receiver.reset();
    sender.said();
    CHECK(heard == 3);
}

TEST_CASE("connect takes the type of the connection") {
    std::string gone;
    Named sender("s", gone);
    Named receiver("r", gone);
    Object::connect(&sender, &Named::said, &receiver, &Named::hear, ConnectionType::Queued);
    sender.said();
    CHECK(receiver.heard == 0);
    CHECK(EventLoop::current()->processEvents());
    CHECK(receiver.heard == 1);
}

TEST_CASE("disconnect says whether anything was connected, and ends all of it") {
    std::string gone;
    Named sender("s", gone);
    Named receiver("r", gone);
    Named* const none = nullptr;
    CHECK_FALSE(Object::disconnect(&sender, &Named::said, &receiver, &Named::hear));
    for (int i = 0; i != 3; ++i)
        Object::connect(&sender, &Named::said, &receiver, &Named::hear);
    CHECK(Object::disconnect(&sender, &Named::said, &receiver, &Named::hear));
    CHECK_FALSE(Object::disconnect(&sender, &Named::said, &receiver, &Named::hear));
    CHECK_FALSE(Object::disconnect(none, &Named::said, &receiver, &Named::hear));
    sender.said();
    CHECK(receiver.heard == 0);
}

TEST_CASE("connect without sender or receiver is refused with a sentence") {
    Logged logged;
    std::string gone;
    Named object("o", gone);
    Named* const none = nullptr;
    CHECK_FALSE(Object::connect(none, &Named::said, &object, &Named::hear).isConnected());
    CHECK_FALSE(Object::connect(none, &Named::said, [] {}).isConnected());
    CHECK(logged.linesWith("no sender") == 2);
    CHECK_FALSE(Object::connect(&object, &Named::said, none, &Named::hear).isConnected());
    CHECK_FALSE(Object::connect(&object, &Named::said, none, [] {}).isConnected());
    CHECK(logged.linesWith("no receiver") == 2);
}

// --- deletion in slots ---

TEST_CASE("any object may be deleted in any slot") {
    std::string gone;
    auto* const sender = new Named("s", gone);
    auto* const first = new Named("1", gone);
    auto* const second = new Named("2", gone);
    std::vector<Named*> victims;
    const auto kill = [&] {
        for (Named* each : victims)
            delete each;
    };
    sender->said.connect(first, kill);
    sender->said.connect(second, &Named::hear);
    Timer timer;
    timer.setSingleShot(true);
    SUBCASE("sender first") { victims = {sender, first, second}; }
    SUBCASE("receiver first") { victims = {first, second, sender}; }
    SUBCASE("the later receiver first") { victims = {second, sender, first}; }
    SUBCASE("from a timer of one of them") {
        victims = {first, sender, second};
        auto* const its = new Timer(first);
        its->timeout.connect(sender, [&] { sender->said(); });
        its->start(0ms);
        pumpIdle();
        CHECK(gone == "1s2");
        return;
    }
    sender->said();
    CHECK(gone.size() == 3);
}

// --- beyond the main thread's loop ---

namespace {

/// Lives longer than the loop of its thread, and still may be asked and told anything.
struct Outliving : Object {
    ~Outliving() override {
        if (loop() != nullptr)
            std::abort();
        deleteLater();
        changed();
        setObjectName("late");
        delete child;
        Timer late;
        late.start(0ms);
    }
    Object* child = new Object(this);
    Signal<> changed{this};
    Timer timer{this};
};

} // namespace

TEST_CASE("static objects may outlive the main thread's loop") {
    static Outliving outliving;
    outliving.changed.connect(&outliving, &Object::deleteLater, ConnectionType::Queued);
    outliving.timer.start(1h);
    CHECK(outliving.loop() == EventLoop::current());
}

TEST_CASE("the free forms end one slot, one receiver, all of a signal, or one connection") {
    std::string gone;
    Named sender("s", gone);
    Named a("a", gone);
    Named b("b", gone);
    const auto connectAll = [&] {
        for (Named* each : {&a, &a, &b})
            Object::connect(&sender, &Named::said, each, &Named::hear);
        Object::connect(&sender, &Named::said, &a, [&a] { a.hear(); });
    };
    connectAll();
    CHECK(Object::disconnect(&sender, &Named::said, &a, &Named::hear)); // both
    CHECK_FALSE(Object::disconnect(&sender, &Named::said, &a, &Named::hear));
    sender.said();
    CHECK(a.heard == 1);
    CHECK(b.heard == 1);
    CHECK(Object::disconnect(&sender, &Named::said, &a));
    CHECK_FALSE(Object::disconnect(&sender, &Named::said, &a, nullptr));
    CHECK(sender.said.connectionCount() == 1);
    connectAll();
    CHECK(Object::disconnect(&sender, &Named::said));
    CHECK_FALSE(Object::disconnect(&sender, &Named::said, nullptr, nullptr));
    CHECK(sender.said.connectionCount() == 0);
    const Connection one = Object::connect(&sender, &Named::said, &a, &Named::hear);
    CHECK(Object::disconnect(one));
    CHECK_FALSE(Object::disconnect(one));
    CHECK_FALSE(Object::disconnect(static_cast<Named*>(nullptr), &Named::said));
    CHECK_FALSE(Object::disconnect(static_cast<Named*>(nullptr), &Named::said, &a));
}

TEST_CASE("the free form ends whatever one object tells another") {
    std::string gone;
    Named sender("s", gone);
    Named other("o", gone);
    Named a("a", gone);
    Named b("b", gone);
    sender.said.connect(&a, &Named::hear);
    sender.said.connect(&b, &Named::hear); // from here on the signal keeps a list
    sender.said.connect(&a, &Named::hear, ConnectionType::Queued);
    sender.destroyed.connect(&a, [&a] { a.hear(); });
    other.said.connect(&a, &Named::hear);
    sender.said();
    CHECK(a.heard == 1);
    CHECK(Object::disconnect(&sender, nullptr, &a));
    CHECK_FALSE(Object::disconnect(&sender, nullptr, &a, nullptr));
    pumpIdle();
    CHECK(a.heard == 1); // nor what was queued
    sender.said();
    other.said();
    CHECK(a.heard == 2);
    CHECK(b.heard == 2);
    CHECK(sender.said.connectionCount() == 1);
    CHECK(sender.destroyed.connectionCount() == 0);
    CHECK(a.disconnectFrom(&other) == 1);
    CHECK(a.disconnectFrom(nullptr) == 0);
    CHECK_FALSE(Object::disconnect(&sender, nullptr, static_cast<Named*>(nullptr)));
    // In a slot that it ends, too.
    const Connection during = sender.said.connect(&a, [&] { CHECK(a.disconnectFrom(&sender) == 1); });
    sender.said();
    CHECK_FALSE(during.isConnected());
}

TEST_CASE("the free form connects a signal to a signal") {
    std::string gone;
    Named a("a", gone);
    Named b("b", gone);
    int heard = 0;
    CHECK(Object::connect(&a, &Named::said, &b, &Named::said).isConnected());
    Object::connect(&b, &Named::said, [&] { ++heard; });
    a.said();
    CHECK(heard == 1);
    Logged logged;
    CHECK_FALSE(Object::connect(&a, &Named::said, static_cast<Named*>(nullptr), &Named::said).isConnected());
    CHECK(logged.linesWith("no receiver") == 1);
}

TEST_CASE("a slot asks its object who called it") {
    struct Asker : Object {
        void ask() { callers.push_back(sender()); }
        std::vector<Object*> callers;
    };
    Asker asker;
    Object first;
    Object second;
    first.objectNameChanged.connect(&asker, &Asker::ask);
    second.objectNameChanged.connect(&asker, &Asker::ask);
    first.setObjectName("a");
    second.setObjectName("b");
    asker.ask();
    Signal<> nobodys;
    nobodys.connect(&asker, &Asker::ask);
    nobodys();
    struct Plain : Tracked {
        Signal<> changed{this};
    } plain;
    plain.changed.connect(&asker, &Asker::ask);
    plain.changed();
    CHECK(asker.callers == std::vector<Object*>{&first, &second, nullptr, nullptr, nullptr});
}
