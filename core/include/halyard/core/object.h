#pragma once

#include <halyard/core/event.h>
#include <halyard/core/free_connect.h>
#include <halyard/signals/pointer.h>
#include <halyard/signals/signal.h>
#include <halyard/signals/tracked.h>

#include <any>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace halyard {

class Dispatcher;
class EventLoop;
class Thread;

/// Where Object::findChild() looks.
enum class FindOption : std::uint8_t {
    Recursively,        ///< among the children, and their children
    DirectChildrenOnly, ///< among the children
};

/// The base of what has signals, slots, a place in a tree and a thread. A parent owns its children: it deletes them
/// when it dies. Until it gets a child, a name, a timer, a property or a posted event an object allocates nothing.
///
///     class Session : public halyard::Object {
///       public:
///         explicit Session(Object* parent) : Object(parent) {}
///         Signal<> finished{this};
///     };
///     auto* session = new Session(&daemon);          // deleted with the daemon
///     session->finished.connect(session, &Object::deleteLater);
///
/// An object lives on the thread that made it and is used there; what other threads may call says so.
class HALYARD_API Object : public Tracked, public FreeConnect {
  public:
    using FindOption = halyard::FindOption; ///< The enumerators are members too.
    using enum halyard::FindOption;

    /// A child lives on its parent's thread: a parent of another thread is refused, with a logged sentence.
    explicit Object(Object* parent = nullptr);

    /// Ends the connections into it, emits destroyed, deletes the children in the order of their coming.
    virtual ~Object();

    Object* parent() const noexcept { return parent_; } ///< Null for nobody's child.

    /// Moves it to the end of the children of `parent`; null makes it nobody's child. Refused, with a logged
    /// sentence: itself or a descendant as parent, a parent on another thread, and either of them being destroyed.
    void setParent(Object* parent);

    /// In the order of their coming; none while they are being deleted. Valid until a child comes, goes or dies.
    std::span<Object* const> children() const;

    /// The first child that is a T and has this name, if one is given: direct children before theirs, in the order
    /// of their coming. Null where there is none.
    template <class T>
    T* findChild(std::string_view name = {}, FindOption option = FindOption::Recursively) const {
        for (Object* const each : children())
            if (T* const found = each->template as<T>(name))
                return found;
        if (option == FindOption::Recursively)
            for (Object* const each : children())
                if (T* const found = each->template findChild<T>(name))
                    return found;
        return nullptr;
    }

    /// All of them, each before its own children.
    template <class T>
    std::vector<T*> findChildren(std::string_view name = {}, FindOption option = FindOption::Recursively) const {
        std::vector<T*> found;
        collectChildren(name, option, found);
        return found;
    }

    const std::string& objectName() const noexcept; ///< Empty unless it was set.
    /// For findChild() and the log. Emits objectNameChanged where it is another one.
    void setObjectName(std::string name);

    /// While blocked, signals of this object reach no slot (destroyed does). Gives what was set before.
    bool blockSignals(bool block) noexcept;
    bool signalsBlocked() const noexcept { return signalsAreBlocked(); } ///< See blockSignals().

    /// Deletes the object once control is back in the loop that called the running slot; asked for in a nested
    /// loop, in that loop; asked for outside any slot, in the next turn. Asking twice is asking once. Thread-safe.
    void deleteLater();

    /// Takes it and what is below it to another thread that runs: its timers and what else it has in the loop, its
    /// connections, and what is posted to it, in order. Only on the thread that it lives on: from when it returns
    /// true, only the other one may use it. False, with a logged sentence: a null thread, one that does not run, a
    /// parent, the wrong thread, an object that is being destroyed; and inside a slot that one of its own signals
    /// called, or a handler of one of its timers: post the move then, EventLoop::post() does it right after. True where
    /// it lives there already.
    bool moveToThread(Thread* thread);

    /// The loop that it lives in. Thread-safe.
    EventLoop* loop() const noexcept;

    /// The thread that it lives on; null once that has ended. Thread-safe.
    Thread* thread() const noexcept;

    /// Tells `event` to `receiver` in a coming turn of its loop, unless the receiver dies before; in the order of
    /// posting from each thread, mixed with the queued slots and posted tasks of that thread. False, with a logged
    /// sentence, where one of them is null. The receiver must live while this runs. Thread-safe.
    static bool postEvent(Object* receiver, std::unique_ptr<Event> event);

    /// Tells it at once. Whether somebody took it: event() or a filter said true. False, with a logged sentence, for a
    /// null receiver and on a foreign thread.
    static bool sendEvent(Object* receiver, Event& event);

    /// From now on `filter` sees each event of this object first, through eventFilter(); of several, the last one that
    /// was installed. Installing it again makes it the last. It is forgotten when it dies, and when one of the two
    /// moves to another thread without the other. Refused, with a logged sentence: null, and a filter on another
    /// thread.
    void installEventFilter(Object* filter);
    void removeEventFilter(Object* filter) noexcept; ///< Harmless where it is none.

    /// Sends a TimerEvent whenever the interval has passed, by Timer's rules, until killTimer(). Gives the timer's
    /// number, which no other timer of the process has; 0, with a logged sentence, for a negative interval and on a
    /// foreign thread.
    int startTimer(std::chrono::milliseconds interval);
    void killTimer(int id); ///< A number that is not a timer of this object is refused, with a logged sentence.

    /// What the program has attached to the object under this name; an empty std::any where there is nothing.
    std::any property(std::string_view name) const;

    /// Attaches it, and sends a PropertyEvent; an empty `value` removes it. False where nothing is changed: an empty
    /// name, nothing to remove.
    bool setProperty(std::string_view name, std::any value);
    std::vector<std::string> dynamicPropertyNames() const; ///< In the order in which they were first set.

    /// @{
    /// Write the object and what is below it, or what it has and is connected to, into the log, a line each, at
    /// LogLevel::Info: setLogLevel() lets them through.
    void dumpObjectTree() const;
    void dumpObjectInfo() const;
    /// @}

    /// Emitted by the destructor, whatever is blocked, before the children die: guarded pointers are null and
    /// connections into the object have ended. A slot may do anything but use what the derived classes added.
    Signal<Object*> destroyed{this};

    /// Emitted with the new name when it differs from the old one. A slot may do anything.
    Signal<std::string> objectNameChanged{this};

  protected:
    /// Sorts what is told to the object: timers, children and the program's own types go to the three handlers below.
    /// True where the event is known. A handler may do anything, delete the object too. What throws leaves through
    /// the loop, or through whoever changed the tree; from a destructor nothing may.
    virtual bool event(Event& event);

    /// Sees an event of `watched`, whose filter this object is, before it does. True ends the matter.
    virtual bool eventFilter(Object* watched, Event& event);

    virtual void timerEvent(TimerEvent& event); ///< See startTimer().
    virtual void childEvent(ChildEvent& event); ///< Not for the children that it deletes itself when it dies.
    virtual void customEvent(Event& event);     ///< Of a type from Event::User on.

    /// In a slot of this object: the object whose signal called it. Null in no slot, for a signal without an owner,
    /// and where the sender is gone.
    Object* sender() const noexcept;

    /// @{
    /// The two halves of moveToThread(), for objects that have something in their thread's loop: called for each
    /// object that moves, on the thread that it leaves and then on the one that it has come to. They emit nothing and
    /// throw nothing; an override calls what it overrides.
    virtual void leavingThread();
    virtual void enteredThread();
    /// @}

    /// Whether the calling thread is the one that it lives on. If not, the log says that `call` is refused.
    bool isOnItsThread(std::string_view call) const {
        if (!livesHere()) [[unlikely]]
            return isElsewhere(call);
        if (isArriving_) [[unlikely]]
            arriveNow();
        return true;
    }

  private:
    friend class Dispatcher;
    friend class RunningTask;

    struct NoParent {};
    explicit Object(NoParent);

    struct Extra;
    struct Address;
    class PostedEvent;
    class Arrival;
    class IdTimer;

    template <class T>
    T* as(std::string_view name) const {
        T* const self = dynamic_cast<T*>(const_cast<Object*>(this));
        return name.empty() || name == objectName() ? self : nullptr;
    }
    template <class T>
    void collectChildren(std::string_view name, FindOption option, std::vector<T*>& found) const {
        for (Object* const each : children()) {
            if (T* const match = each->template as<T>(name))
                found.push_back(match);
            if (option == FindOption::Recursively)
                each->collectChildren(name, option, found);
        }
    }

    template <class Use>
    void withDispatcher(Use use) const;
    bool isElsewhere(std::string_view call) const; ///< False, and says so.
    void arriveNow() const;
    void takeDeletionAlong() noexcept;
    void partFromFilters(const Object& root) noexcept;
    Extra& extra();
    Address& address();
    bool deliver(Event& event);
    bool isFiltered(Event& event);
    void addChild(Object& child);
    void removeChild(Object& child) noexcept;
    void childHas(Event::Type what, Object& child);
    std::string described() const;
    virtual bool isBusy() const; ///< an override adds to what it overrides
    void collect(std::vector<Tracked*>& all, Arrival& arrival);
    void leaveThread();
    void enterThread();

    Object* parent_ = nullptr;
    std::unique_ptr<Extra> extra_;            ///< what most objects have not: children, a name
    std::atomic<Address*> address_ = nullptr; ///< by which posted events find it, or that it is gone
    std::uint32_t placeInParent_ = 0;
    bool dying_ = false;
    bool bringsDeletion_ = false; ///< asked for in a loop that it has left
    std::atomic<bool> deletionAsked_ = false;
};

/// Blocks an object's signals, and at its end sets what was set before.
class SignalBlocker {
  public:
    /// Blocks; the object may die before.
    explicit SignalBlocker(Object& object) noexcept : object_(&object), before_(object.blockSignals(true)) {}
    /// The same; null blocks nothing.
    explicit SignalBlocker(Object* object) noexcept
        : object_(object), before_(object != nullptr && object->blockSignals(true)) {}
    SignalBlocker(const SignalBlocker&) = delete;
    SignalBlocker& operator=(const SignalBlocker&) = delete;
    ~SignalBlocker() {
        if (object_)
            object_->blockSignals(before_);
    }

  private:
    Pointer<Object> object_;
    bool before_;
};

} // namespace halyard
