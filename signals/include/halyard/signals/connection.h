#pragma once

#include <halyard/signals/export.h>

#include <cstdint>
#include <utility>

namespace halyard {

namespace detail {
struct Link;
} // namespace detail

/// How a slot is called.
enum class ConnectionType : std::uint8_t {
    Auto,   ///< Direct where the receiver lives on the emitting thread. (It has to, for now: see Signal::connect.)
    Direct, ///< Inside the emission.
    Queued, ///< Later, from the receiver's loop; the arguments are copied once.
};

/// A handle to one connection: two words, copied freely, harmless when either end is gone.
///
///     Connection c = timer.timeout.connect([] { std::puts("tick"); });
///     c.setBlocked(true);                // stays connected, is not called
///     c.disconnect();                    // true: it was connected
///     c.disconnect();                    // false: it had ended already
class HALYARD_API Connection {
  public:
    Connection() noexcept = default;

    /// Ends the connection: nothing of it runs afterwards, calls that were queued included. False when it had
    /// ended already.
    bool disconnect() noexcept;

    /// False once either end is gone, and for a default-made handle.
    bool isConnected() const noexcept;

    /// A blocked connection stays in its place and is not called. What was queued before is still delivered.
    void setBlocked(bool blocked) noexcept;
    bool isBlocked() const noexcept;

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
    ScopedConnection(Connection connection) noexcept // NOLINT(google-explicit-constructor): the common use
        : connection_(connection) {}
    ScopedConnection(ScopedConnection&& other) noexcept : connection_(other.release()) {}
    ScopedConnection& operator=(ScopedConnection&& other) noexcept {
        Connection ended = std::exchange(connection_, other.release());
        ended.disconnect(); // last: the slot's destructor may look here
        return *this;
    }
    ~ScopedConnection() { connection_.disconnect(); }

    bool disconnect() noexcept { return connection_.disconnect(); }
    bool isConnected() const noexcept { return connection_.isConnected(); }
    void setBlocked(bool blocked) noexcept { connection_.setBlocked(blocked); }
    bool isBlocked() const noexcept { return connection_.isBlocked(); }

    /// Lets go of the connection, which lives on; gives its plain handle back.
    [[nodiscard]] Connection release() noexcept { return std::exchange(connection_, Connection()); }

  private:
    Connection connection_;
};

} // namespace halyard
