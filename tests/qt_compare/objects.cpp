// Objects and their signals. What emits here is objectNameChanged, so that no class needs Qt's code generator.
#include "scenario.h"

#include <memory>

namespace {

using namespace compare;

/// A slot that tells its name.
struct Slot {
    const char* name;
    void operator()() const { Trace{name}; }
};

/// Emits.
void emitFrom(Object& object) { object.setObjectName(text(object.objectName()) == "one" ? "another" : "one"); }

/// Has a slot that tells who called.
class Receiver : public Object {
  public:
    explicit Receiver(const char* name) : name_(name) {}
    void take() { Trace{name_, "called by", sender() == nullptr ? "nobody" : text(sender()->objectName()).c_str()}; }
    bool isCalled() const { return sender() != nullptr; }

  private:
    const char* name_;
};

// --- emissions ---

const Scenario order("slots_run_in_order", [] {
    Object sender;
    Object a;
    Object b;
    Object::connect(&sender, &Object::objectNameChanged, &a, Slot{"one"});
    const auto second = Object::connect(&sender, &Object::objectNameChanged, &b, Slot{"two"});
    Object::connect(&sender, &Object::objectNameChanged, &a, Slot{"three"});
    emitFrom(sender);
    Trace{"disconnect", Object::disconnect(second), "again", Object::disconnect(second)};
    Object::connect(&sender, &Object::objectNameChanged, &b, Slot{"two"});
    emitFrom(sender);
});

const Scenario connectInSlot("connect_in_a_slot", [] {
    Object sender;
    Object context;
    Object::connect(&sender, &Object::objectNameChanged, &context, [&] {
        Trace{"one"};
        Object::connect(&sender, &Object::objectNameChanged, &context, Slot{"late"});
    });
    emitFrom(sender);
    Trace{"again"};
    emitFrom(sender);
});

const Scenario disconnectInSlot("disconnect_in_a_slot", [] {
    Object sender;
    Object a;
    Object b;
    Object::connect(&sender, &Object::objectNameChanged, &a, [&] {
        Trace{"one"};
        Trace{"disconnect", Object::disconnect(&sender, &Object::objectNameChanged, &b, nullptr)};
        Trace{"itself", Object::disconnect(&sender, &Object::objectNameChanged, &a, nullptr)};
        Trace{"still here"};
    });
    Object::connect(&sender, &Object::objectNameChanged, &b, Slot{"two"});
    emitFrom(sender);
    emitFrom(sender);
});

const Scenario unique("unique_connections", [] {
    Object sender;
    Receiver receiver("receiver");
    const auto first = Object::connect(&sender, &Object::objectNameChanged, &receiver, &Receiver::take, Unique);
    const auto second = Object::connect(&sender, &Object::objectNameChanged, &receiver, &Receiver::take, Unique);
    Trace{"first", isConnected(first), "second", isConnected(second)};
    Object::connect(&sender, &Object::objectNameChanged, &receiver, &Receiver::take);
    sender.setObjectName("sender");
    Trace{"disconnect", Object::disconnect(&sender, &Object::objectNameChanged, &receiver, &Receiver::take)};
    Trace{"again", Object::disconnect(&sender, &Object::objectNameChanged, &receiver, &Receiver::take)};
    sender.setObjectName("another");
});

const Scenario singleShot("single_shot_connection", [] {
    Object sender;
    Object context;
    Object::connect(
        &sender, &Object::objectNameChanged, &context,
        [&] {
            Trace{"once"};
            emitFrom(sender);
        },
        SingleShot);
    emitFrom(sender);
    emitFrom(sender);
});

const Scenario deleteReceiver("delete_receivers_in_a_slot", [] {
    Object sender;
    auto* const first = new Object;
    auto* const second = new Object;
    Object last;
    Object::connect(&sender, &Object::objectNameChanged, first, [&] {
        Trace{"one"};
        delete second;
        delete first;
    });
    Object::connect(&sender, &Object::objectNameChanged, second, Slot{"two"});
    Object::connect(&sender, &Object::objectNameChanged, &last, Slot{"three"});
    emitFrom(sender);
    emitFrom(sender);
});

const Scenario deleteSender("delete_the_sender_in_a_slot", [] {
    auto* const sender = new Object;
    Object context;
    Object::connect(sender, &Object::destroyed, &context, Slot{"destroyed"});
    Object::connect(sender, &Object::objectNameChanged, &context, [&] {
        Trace{"one"};
        delete sender;
    });
    Object::connect(sender, &Object::objectNameChanged, &context, Slot{"two"});
    emitFrom(*sender);
});

const Scenario relay("relayed_signal", [] {
    Object first;
    Timer second;
    Object context;
    Object::connect(&second, &Object::objectNameChanged, &first, &Object::objectNameChanged);
    Object::connect(&first, &Object::objectNameChanged, &context, [](const String& name) {
        Trace{"name", text(name)};
    });
    second.setObjectName("second");
});

const Scenario handleAfterDeath("handle_after_the_death_of_an_end", [] {
    auto sender = std::make_unique<Object>();
    auto receiver = std::make_unique<Object>();
    const auto one = Object::connect(sender.get(), &Object::objectNameChanged, receiver.get(), Slot{"one"});
    receiver.reset();
    Trace{"connected", isConnected(one), "disconnect", Object::disconnect(one)};
    receiver = std::make_unique<Object>();
    const auto two = Object::connect(sender.get(), &Object::objectNameChanged, receiver.get(), Slot{"two"});
    sender.reset();
    Trace{"connected", isConnected(two), "disconnect", Object::disconnect(two)};
});

const Scenario functorLives("life_of_a_functor", [] {
    const auto counted = std::make_shared<int>(0);
    Object sender;
    const auto connection = Object::connect(&sender, &Object::objectNameChanged, &sender, [counted] { ++*counted; });
    Trace{"copies", counted.use_count() - 1};
    Object::disconnect(connection);
    settle(1ms);
    Trace{"copies", counted.use_count() - 1};
    {
        Object context;
        Object::connect(&sender, &Object::objectNameChanged, &context, [counted] { ++*counted; });
    }
    settle(1ms);
    Trace{"copies", counted.use_count() - 1};
});

const Scenario blocked("blocked_signals", [] {
    auto sender = std::make_unique<Object>();
    Object context;
    Object::connect(sender.get(), &Object::objectNameChanged, &context, Slot{"changed"});
    Object::connect(sender.get(), &Object::destroyed, &context, Slot{"destroyed"});
    Trace{"before", sender->blockSignals(true)};
    emitFrom(*sender);
    Trace{"before", sender->blockSignals(true), "blocked", sender->signalsBlocked()};
    sender.reset();
});

const Scenario senders("sender", [] {
    Object one;
    Object two;
    one.setObjectName("one");
    two.setObjectName("two");
    Receiver receiver("receiver");
    Receiver queued("queued");
    Object::connect(&two, &Object::objectNameChanged, &receiver, &Receiver::take);
    Object::connect(&two, &Object::objectNameChanged, &queued, &Receiver::take, Queued);
    Object::connect(&one, &Object::objectNameChanged, &receiver, [&] {
        receiver.take();
        two.setObjectName("two again");
        receiver.take();
    });
    one.setObjectName("one again");
    Trace{"outside", receiver.isCalled()};
    settle();
});

// --- queued ---

const Scenario queuedOrder("queued_slots_come_later", [] {
    Object sender;
    Object context;
    Object::connect(
        &sender, &Object::objectNameChanged, &context,
        [](const String& name) {
            Trace{"queued", text(name)};
        },
        Queued);
    Object::connect(&sender, &Object::objectNameChanged, &context, [](const String& name) {
        Trace{"direct", text(name)};
    });
    sender.setObjectName("a");
    sender.setObjectName("b");
    postTo(context, Slot{"posted"});
    Trace{"the loop"};
    settle();
});

const Scenario queuedAndDisconnected("queued_call_and_a_disconnect", [] {
    Object sender;
    Object context;
    const auto connection = Object::connect(&sender, &Object::objectNameChanged, &context, Slot{"queued"}, Queued);
    emitFrom(sender);
    Object::disconnect(connection);
    settle();
});

const Scenario queuedAndDeadSender("queued_call_and_the_death_of_an_end", [] {
    Object context;
    {
        Object sender;
        Object::connect(&sender, &Object::objectNameChanged, &context, Slot{"of a dead sender"}, Queued);
        emitFrom(sender);
        sender.blockSignals(true);
    }
    Object sender;
    {
        Object receiver;
        Object::connect(&sender, &Object::objectNameChanged, &receiver, Slot{"to a dead receiver"}, Queued);
        emitFrom(sender);
    }
    settle();
});

// --- trees and deaths ---

/// Tells when it is destroyed.
class Mortal : public Object {
  public:
    Mortal(const char* name, Object* parent) : Object(parent), name_(name) {
        Object::connect(this, &Object::destroyed, this, [name] { Trace{name, "itself"}; });
        Object::connect(this, &Object::destroyed, [name] { Trace{name, "destroyed"}; });
    }
    ~Mortal() override { Trace{name_, "destructor"}; }

  private:
    const char* name_;
};

const Scenario deaths("order_of_destruction", [] {
    auto parent = std::make_unique<Mortal>("parent", nullptr);
    auto* const first = new Mortal("first", parent.get());
    new Mortal("second", parent.get());
    new Mortal("grandchild", first);
    first->setParent(nullptr);
    first->setParent(parent.get());
    parent.reset();
});

const Scenario parentOfDying("parent_of_a_child_that_dies", [] {
    auto parent = std::make_unique<Object>();
    auto* const child = new Object(parent.get());
    const Guarded<Object> guarded(child);
    Object::connect(child, &Object::destroyed, [&] {
        Trace{"has a parent", child->parent() != nullptr, "guarded pointer", !!guarded};
    });
    parent.reset();
});

const Scenario laterInSlot("delete_later_in_a_slot", [] {
    auto* const object = new Object;
    Object context;
    Object::connect(object, &Object::destroyed, &context, Slot{"destroyed"});
    Object::connect(object, &Object::objectNameChanged, object, [object] {
        object->deleteLater();
        object->deleteLater();
        Trace{"asked"};
    });
    postTo(*object, [object] { emitFrom(*object); });
    settle();
});

const Scenario laterOutside("delete_later_outside_of_slots", [] {
    auto* const object = new Object;
    Object context;
    Object::connect(object, &Object::destroyed, &context, Slot{"destroyed"});
    object->deleteLater();
    settle();
    Trace{"processed events"};
});

const Scenario laterAndNested("delete_later_and_a_nested_loop", [] {
    Object context;
    auto* const outer = new Object;
    auto* const inner = new Object;
    Object::connect(outer, &Object::destroyed, &context, Slot{"outer destroyed"});
    Object::connect(inner, &Object::destroyed, &context, Slot{"inner destroyed"});
    Loop loop;
    postTo(context, [&] {
        outer->deleteLater();
        Loop nested;
        postTo(context, [&] {
            inner->deleteLater();
            postTo(context, [&] { nested.exit(0); });
        });
        nested.exec();
        Trace{"nested loop ended"};
        postTo(context, [&] { loop.exit(0); });
    });
    loop.exec();
    Trace{"loop ended"};
});

const Scenario parents("children_and_their_order", [] {
    Object parent;
    auto* const a = new Object(&parent);
    auto* const b = new Object(&parent);
    a->setObjectName("a");
    b->setObjectName("b");
    a->setParent(nullptr);
    a->setParent(&parent);
    for (const Object* const child : parent.children())
        Trace{text(child->objectName())};
    a->setObjectName("a");
});

const Scenario circle("parents_in_a_circle", [] {
    Object parent;
    Object child(&parent);
    parent.setParent(&child);
    Trace{"refused", parent.parent() == nullptr};
});

const Scenario runningThread("destroy_a_running_thread", [] {
    {
        Thread thread;
        thread.start();
    }
    Trace{"ended"};
});

const Scenario sameName("set_the_same_name", [] {
    Object object;
    Object::connect(&object, &Object::objectNameChanged, &object, Slot{"changed"});
    object.setObjectName("a");
    object.setObjectName("a");
});

} // namespace
