#pragma once

#include <halyard/signals/connection.h>
#include <halyard/signals/export.h>
#include <halyard/signals/signal.h>
#include <halyard/signals/tracked.h>

#include <cstddef>
#include <type_traits>
#include <utility>

namespace halyard {

/// The familiar free forms, which every Object has as static members:
///
///     Object::connect(&server, &TcpServer::newConnection, this, &Daemon::accept);
///     Object::disconnect(&server, &TcpServer::newConnection, this, &Daemon::accept);
///
/// A null sender or receiver is refused: a logged sentence, and a handle that is not connected.
class HALYARD_API FreeConnect {
    /// What `&Sender::signal` stands for.
    template <class Sender, class SignalType, class T>
    struct Named {
        static constexpr bool isSignal = std::is_base_of_v<SignalBase, SignalType>;
        static_assert(isSignal, "what is connected to must be a halyard::Signal");
        static_assert(std::is_base_of_v<T, Sender>, "the signal must be a member of the sender's class");
        using Type = typename std::conditional_t<isSignal, SignalType, Signal<>>::Type;
    };

  public:
    /// To a member function, to a signal of the receiver, or to anything callable that ends with the receiver.
    template <class Sender, class SignalType, class T, class Receiver, class Slot>
    static Connection connect(Sender* sender, SignalType T::*signal, Receiver* receiver, Slot&& slot,
                              typename Named<Sender, SignalType, T>::Type type = ConnectionType::Auto) {
        if (!isThere(sender, "Object::connect(): there is no sender"))
            return {};
        if constexpr (std::is_member_object_pointer_v<std::decay_t<Slot>>) {
            if (!isThere(receiver, "Object::connect(): there is no receiver"))
                return {};
            return (sender->*signal).connect(receiver->*slot);
        } else {
            return (sender->*signal).connect(receiver, std::forward<Slot>(slot), type);
        }
    }
    /// To anything callable, until it is disconnected or the sender dies.
    template <class Sender, class SignalType, class T, class Slot>
    static Connection connect(Sender* sender, SignalType T::*signal, Slot&& slot) {
        static_assert(Named<Sender, SignalType, T>::isSignal);
        if (!isThere(sender, "Object::connect(): there is no sender"))
            return {};
        return (sender->*signal).connect(std::forward<Slot>(slot));
    }

    /// Ends every connection of this signal to this slot. Whether there was one; so do the others.
    template <class Sender, class SignalType, class T, class Receiver, class R, class Member>
    static bool disconnect(Sender* sender, SignalType T::*signal, Receiver* receiver, Member R::*slot) {
        return sender != nullptr && (sender->*signal).disconnect(receiver, slot) != 0;
    }
    /// Of this signal to whatever slot of this receiver.
    template <class Sender, class SignalType, class T>
    static bool disconnect(Sender* sender, SignalType T::*signal, const Tracked* receiver, std::nullptr_t = nullptr) {
        return sender != nullptr && (sender->*signal).disconnect(receiver) != 0;
    }
    /// Of this signal, whoever receives it.
    template <class Sender, class SignalType, class T>
    static bool disconnect(Sender* sender, SignalType T::*signal, std::nullptr_t = nullptr, std::nullptr_t = nullptr) {
        if (sender == nullptr || (sender->*signal).connectionCount() == 0)
            return false;
        (sender->*signal).disconnectAll();
        return true;
    }
    /// Of whatever signal that the sender owns to whatever slot of this receiver.
    static bool disconnect(const Tracked* sender, std::nullptr_t, Tracked* receiver, std::nullptr_t = nullptr) {
        return receiver != nullptr && receiver->disconnectFrom(sender) != 0;
    }
    /// This connection.
    static bool disconnect(Connection connection) noexcept { return connection.disconnect(); }

  protected:
    FreeConnect() noexcept = default;
    ~FreeConnect() = default;

  private:
    static bool isThere(const void* who, const char* otherwise);
};

} // namespace halyard
