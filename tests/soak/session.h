#pragma once

#include "byte_stream.h"
#include "ledger.h"

#include <halyard/core/object.h>
#include <halyard/net/stream_socket.h>

#include <cstdint>
#include <optional>

namespace soak {

/// What a visit says before its bytes.
struct Opening {
    static constexpr std::uint64_t Echo = 1;        ///< The bytes are sent back.
    static constexpr std::uint64_t ServerEnds = 2;  ///< The session ends the connection when all have come.
    static constexpr std::uint64_t AllWillCome = 4; ///< Nothing is broken off: whatever the visit does, all must come.

    std::uint64_t key = 0;
    std::uint64_t total = 0;
    std::uint64_t flags = 0;
};

/// The server's end of a connection, on whatever thread that lives: checks what comes, and sends it back.
class Session : public halyard::Object {
  public:
    /// Goes with its client, which it deletes when the connection has ended.
    Session(halyard::StreamSocket& client, Ledger& ledger, bool mayBeHalfOpen);
    ~Session() override { --ledger_.sessions; }

  private:
    void receive();
    void takePiece();
    void judge() const;

    halyard::StreamSocket& client_;
    Ledger& ledger_;
    Opening opening_;
    std::optional<ByteStream> stream_; ///< nothing until the opening has come
    bool isBroken_ = false;
};

} // namespace soak
