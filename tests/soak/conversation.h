#pragma once

#include "byte_stream.h"
#include "visit.h"

#include <halyard/core/timer.h>
#include <halyard/net/stream_socket.h>

#include <cstddef>
#include <cstdint>

namespace soak {

/// A client that sends numbered bytes and gets them back: by one of the ways, at one of the paces, to one of the ends.
class Conversation : public Visit {
  public:
    enum class Way : std::uint8_t { Tcp, Pooled, Local, Socks, Http };
    enum class Ending : std::uint8_t {
        Answered,   ///< it ends when all has come back
        ServerEnds, ///< the server does
        HalfClosed, ///< it ends its sending, and hears the rest
        Left,       ///< deletes its socket when all is written, which must arrive nevertheless; nothing comes back
        Reset,      ///< aborts in the middle
        Dropped,    ///< deletes its socket in the middle, at once or later
    };

    Conversation(Dice dice, const Service& service, Ledger& ledger);

    void begin() override;

  private:
    bool isEchoed() const noexcept { return ending_ != Ending::Left; }
    bool mustBeWhole() const noexcept { return ending_ != Ending::Reset && ending_ != Ending::Dropped; }

    void send();
    void receive();
    void readSlowly();
    void take(std::size_t most);
    bool breakOff();
    void leave();
    void connectionEnded();
    void failed();
    void judge();
    void complain(const std::string& what);

    Dice dice_;
    const Service& service_;
    const Way way_;
    const Ending ending_;
    const bool isSlow_;
    const std::size_t total_;
    const std::size_t breakAt_; ///< after so many bytes sent and received
    const std::uint64_t key_;
    ByteStream sent_;
    ByteStream received_;
    halyard::StreamSocket* socket_ = nullptr; ///< null once it was deleted
    halyard::Timer* pace_ = nullptr;          ///< of a slow reader
    bool isOver_ = false;
};

} // namespace soak
