#pragma once

#include <halyard/signals/export.h>

#include <string>
#include <utility>

namespace halyard {

class Object;

/// Something that is told to one object through Object::event(): by its timers, by its children, or by the program,
/// with Object::postEvent() and Object::sendEvent(). Who else should know installs an event filter.
///
///     struct Finished : Event {
///         static inline const int Type = Event::registerType();
///         explicit Finished(int lines) : Event(Type), lines(lines) {}
///         int lines;
///     };
///     Object::postEvent(&window, std::make_unique<Finished>(1200));   // from any thread; Window::customEvent() runs
class HALYARD_API Event {
  public:
    /// The library's types; a program's begin at User.
    enum Type : int {
        None = 0,
        Timer = 1,           ///< a TimerEvent
        ChildAdded = 2,      ///< a ChildEvent
        ChildRemoved = 3,    ///< a ChildEvent
        PropertyChanged = 4, ///< a PropertyEvent
        User = 1000,         ///< the first of the program's own, up to MaxUser
        MaxUser = 65535,
    };

    explicit Event(int type) noexcept : type_(type) {} ///< Of one of the types above, or of registerType().
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;
    virtual ~Event() = default;

    int type() const noexcept { return type_; } ///< What it is.

    /// A type that nobody else has got, from MaxUser downwards; None when there is none left. Thread-safe.
    static int registerType() noexcept;

  private:
    int type_;
};

/// A timer of Object::startTimer() has gone off.
class HALYARD_API TimerEvent : public Event {
  public:
    explicit TimerEvent(int timerId) noexcept : Event(Timer), timerId_(timerId) {} ///< For the timer of this number.
    int timerId() const noexcept { return timerId_; }                              ///< What startTimer() gave.

  private:
    int timerId_;
};

/// An object has got a child, or lost it. While a child is made or destroyed it is an Object and nothing more.
class HALYARD_API ChildEvent : public Event {
  public:
    ChildEvent(Type type, Object* child) noexcept : Event(type), child_(child) {} ///< ChildAdded or ChildRemoved.
    Object* child() const noexcept { return child_; }            ///< Perhaps not, or no longer, what it was made as.
    bool added() const noexcept { return type() == ChildAdded; } ///< It has come.
    bool removed() const noexcept { return type() == ChildRemoved; } ///< It goes.

  private:
    Object* child_;
};

/// Object::setProperty() has set, changed or removed a property.
class HALYARD_API PropertyEvent : public Event {
  public:
    /// For the property of this name.
    explicit PropertyEvent(std::string name) noexcept : Event(PropertyChanged), name_(std::move(name)) {}
    const std::string& propertyName() const noexcept { return name_; } ///< Which one it is; property() tells its value.

  private:
    std::string name_;
};

} // namespace halyard
