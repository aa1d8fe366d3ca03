#pragma once

#include <halyard/net/tcp_socket.h>

#include <pump.h>

#include <string_view>

namespace halyard::test {

/// What a program waits with: both come to the same.
enum class Way { Loop, Wait };
inline constexpr Way bothWays[] = {Way::Loop, Way::Wait};

/// Patience, as waits take it.
inline int msecOfPatience() { return static_cast<int>(patience().count()); }

/// Waits until it is connected, or not connecting any more.
inline bool connects(TcpSocket& socket, Way way) {
    if (way == Way::Wait)
        return socket.waitForConnected(msecOfPatience());
    pumpUntil([&] { return socket.state() == SocketState::Connected || socket.state() == SocketState::Unconnected; });
    return socket.state() == SocketState::Connected;
}

/// Whether this is what comes.
inline bool receives(TcpSocket& socket, std::string_view text, Way way) {
    if (way == Way::Loop)
        return pumpUntil([&] { return socket.bytesAvailable() >= text.size(); }) && socket.readAll() == text;
    while (socket.bytesAvailable() < text.size())
        if (!socket.waitForReadyRead(msecOfPatience()))
            return false;
    return socket.readAll() == text;
}

} // namespace halyard::test
