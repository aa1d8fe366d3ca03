#pragma once

#include <halyard/signals/pointer.h>
#include <halyard/signals/signal.h>
#include <halyard/signals/tracked.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace halyard {

class Dispatcher;
class EventLoop;

/// The base of what has signals, slots, a place in a tree and a thread. A parent owns its children: it deletes them
/// when it dies. Until it gets a child or a name an object allocates nothing.
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
class HALYARD_API Object : public Tracked {
  public:
    /// A child lives on its parent's thread: a parent of another thread is refused, with a logged sentence.
    explicit Object(Object* parent = nullptr);

    /// Ends the connections into it, emits destroyed, deletes the children in the order of their coming.
    virtual ~Object();

    Object* parent() const noexcept { return parent_; }

    /// Moves it to the end of the children of `parent`; null makes it nobody's child. Refused, with a logged
    /// sentence: itself or a descendant as parent, a parent on another thread.
    void setParent(Object* parent);

    /// In the order of their coming; none while they are being deleted. Valid until a child comes, goes or dies.
    std::span<Object* const> children() const;

    const std::string& objectName() const noexcept;
    void setObjectName(std::string name);

    /// While blocked, signals of this object reach no slot (destroyed does). Gives what was set before.
    bool blockSignals(bool block) noexcept;
    bool signalsBlocked() const noexcept { return signalsAreBlocked(); }

    /// Deletes the object once control is back in the loop that called the running slot; asked for in a nested
    /// loop, in that loop; asked for outside any slot, in the next turn. Asking twice is asking once. Thread-safe.
    void deleteLater();

    /// The loop that it lives in. Thread-safe.
    EventLoop* loop() const noexcept;

    /// The familiar free forms: connect(&server, &TcpServer::newConnection, this, &Daemon::accept).
    template <class Sender, class SignalType, class T, class Receiver, class Slot>
    static Connection connect(Sender* sender, SignalType T::*signal, Receiver* receiver, Slot&& slot,
                              ConnectionType type = ConnectionType::Auto) {
        if (!hasSender(sender))
            return {};
        return (sender->*signal).connect(receiver, std::forward<Slot>(slot), type);
    }
    template <class Sender, class SignalType, class T, class Slot>
    static Connection connect(Sender* sender, SignalType T::*signal, Slot&& slot) {
        if (!hasSender(sender))
            return {};
        return (sender->*signal).connect(std::forward<Slot>(slot));
    }
    template <class Sender, class SignalType, class T, class Receiver, class Slot>
    static bool disconnect(Sender* sender, SignalType T::*signal, Receiver* receiver, Slot slot) {
        return sender != nullptr && (sender->*signal).disconnect(receiver, slot) != 0;
    }

    /// Emitted by the destructor, whatever is blocked, before the children die: guarded pointers are null and
    /// connections into the object have ended. A slot may do anything but use what the derived classes added.
    Signal<Object*> destroyed{this};

    /// Emitted with the new name when it differs from the old one. A slot may do anything.
    Signal<std::string> objectNameChanged{this};

  protected:
    /// Whether the calling thread is the one that it lives on. If not, the log says that `call` is refused.
    bool isOnItsThread(std::string_view call) const;

  private:
    struct Extra;

    static bool hasSender(const void* sender);
    template <class Use>
    void withDispatcher(Use use) const;
    Extra& extra();
    void addChild(Object& child);
    void removeChild(Object& child) noexcept;

    Object* parent_ = nullptr;
    std::unique_ptr<Extra> extra_; ///< what most objects have not: children, a name
    std::uint32_t placeInParent_ = 0;
    bool dying_ = false;
    std::atomic<bool> deletionAsked_ = false;
};

/// Blocks an object's signals, and at its end sets what was set before.
class SignalBlocker {
  public:
    explicit SignalBlocker(Object& object) noexcept : object_(&object), before_(object.blockSignals(true)) {}
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
