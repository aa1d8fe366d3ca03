#pragma once

#include <halyard/signals/export.h>

#include <cstdint>
#include <utility>

namespace halyard {

namespace detail {
struct Link;
} // namespace detail

/// How a slot is called, and, joined to it by |, how often it may be connected and called.
///
///     thermometer.changed.connect(&display, &Display::show, ConnectionType::Queued | ConnectionType::SingleShot);
enum class ConnectionType : std::uint8_t {
    Auto = 0,   ///< Direct where the receiver lives on the emitting thread, else Queued; decided at each emission.
    Direct = 1, ///< Inside the emission, on the emitting thread whichever that is.
    Queued =
        2, ///< Later, from the receiver's loop; the arguments are copied once, or moved where they can only be that.
    BlockingQueued = 3, ///< Queued, and the emission waits for it. Refused, with a logged sentence, where that would
                        ///< wait for ever: the receiver lives on the emitting thread, nothing runs its thread's loop.
    Unique = 4,         ///< Refused where the same member function of the same receiver is connected already.
    SingleShot = 8,     ///< Ends right before its first call.
};
/// Adds a flag.
constexpr ConnectionType operator|(ConnectionType a, ConnectionType b) noexcept {
    return static_cast<ConnectionType>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
/// Whether it has that flag.
constexpr bool operator&(ConnectionType type, ConnectionType flag) noexcept {
    return (static_cast<unsigned>(type) & static_cast<unsigned>(flag)) != 0;
}

/// A handle to one connection: two words, copied freely, harmless when either end is gone.
///
///     Connection c = timer.timeout.connect([] { std::puts("tick"); });
///     c.setBlocked(true);                // stays connected, is not called
///     c.disconnect();                    // true: it was connected
///     c.disconnect();                    // false: it had ended already
class HALYARD_API Connection {
  public:
    Connection() noexcept = default;

    /// Ends the connection: nothing of it runs afterwards, calls that were queued included. (Another thread than the
    /// receiver's cannot take back a call that has begun.) False when it had ended already. Thread-safe.
    bool disconnect() noexcept;

    /// False once either end is gone, and for a default-made handle. Thread-safe.
    bool isConnected() const noexcept;

    /// A blocked connection stays in its place and is not called. What was queued before is still delivered.
    /// Thread-safe.
    void setBlocked(bool blocked) noexcept;
    bool isBlocked() const noexcept; ///< Thread-safe.

    /// @details Whether it is the same connection.
    friend bool operator==(const Connection&, const Connection&) noexcept = default;

  private:
    friend class SignalBase;
    Connection(detail::Link* link, std::uint32_t generation) noexcept : link_(link), generation_(generation) {}

    detail::Link* link_ = nullptr; // a cell whose memory stays a cell for ever; the generation tells whose it is
    std::uint32_t generation_ = 0;
};

/// A connection that ends with its handle. Move-only.
class ScopedConnection {
  public:
    ScopedConnection() noexcept = default;
    /// Takes it over.
    ScopedConnection(Connection connection) noexcept // NOLINT(google-explicit-constructor): the common use
        : connection_(connection) {}
    /// The other holds none then.
    ScopedConnection(ScopedConnection&& other) noexcept : connection_(other.release()) {}
    /// The one that it held ends.
    ScopedConnection& operator=(ScopedConnection&& other) noexcept {
        Connection ended = std::exchange(connection_, other.release());
        ended.disconnect(); // last: the slot's destructor may look here
        return *this;
    }
    ~ScopedConnection() { connection_.disconnect(); }

    bool disconnect() noexcept { return connection_.disconnect(); }             ///< As Connection::disconnect().
    bool isConnected() const noexcept { return connection_.isConnected(); }     ///< As Connection::isConnected().
    void setBlocked(bool blocked) noexcept { connection_.setBlocked(blocked); } ///< As Connection::setBlocked().
    bool isBlocked() const noexcept { return connection_.isBlocked(); }         ///< As Connection::isBlocked().

    /// Lets go of the connection, which lives on; gives its plain handle back.
    [[nodiscard]] Connection release() noexcept { return std::exchange(connection_, Connection()); }

  private:
    Connection connection_;
};

} // namespace halyard
