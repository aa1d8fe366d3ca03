#include "proxy_listener.h"

#include "poll_until.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace halyard {

ProxyListener::ProxyListener(EngineClient& client, NetworkProxy proxy, const Endpoint& local,
                             std::chrono::milliseconds limit, Clients clients)
    : ProxyEngine(client, std::move(proxy), local.address.toString(), local.port, ConnectionRace::usualDelay, {}),
      limit_(limit),
      clients_(clients) {}

int ProxyListener::ask() {
    isAsked_ = true;
    return begin(true, limit_);
}

/// The proxy's first reply: where a client can come to. An unspecified address is the one of the proxy itself.
void ProxyListener::isBound() {
    endLimit();
    hasMoved_ = true;
    bound_ = handshake().address();
    if (bound_.address.isUnspecified())
        bound_.address = proxyReached().address;
}

int ProxyListener::listenAt(const Endpoint&, int, bool) {
    int result = ask();
    if (result != 0)
        return result;
    const Time until = WaitClock::after(limit_);
    while ((result = goOn()) == EINPROGRESS) {
        int error = 0;
        if (wait(readiness::Readable, until, &error) == readiness::None)
            return error != 0 ? error : timeIsOver();
    }
    if (result == 0)
        isBound();
    hasMoved_ = false; // it is there from the beginning
    return result;
}

int ProxyListener::accept(Endpoint& peer) noexcept {
    if (std::exchange(hasMoved_, false))
        return -EADDRNOTAVAIL;
    const int result = isAsked_ ? goOn() : ask();
    if (result == 0 && handshake().state() == ProxyHandshake::State::Stands) {
        peer = handshake().address();
        const int descriptor = NativeEngine::release();
        isOver_ = clients_ == Clients::One;
        isAsked_ = false;
        bound_ = {};
        return descriptor;
    }
    if (result == 0 && handshake().state() == ProxyHandshake::State::Bound) {
        isBound();
        hasMoved_ = false;
        return -EADDRNOTAVAIL;
    }
    if (result == 0 || result == EINPROGRESS)
        return bound_.port != 0 ? -EAGAIN : -EINPROGRESS;
    isOver_ = clients_ == Clients::One;
    isAsked_ = false;
    return isOver_ ? -ENOTCONN : -ECONNRESET;
}

/// The way to the proxy has come further, whether the server accepts now or not.
void ProxyListener::engineReady(std::uint32_t) {
    const int result = goOn();
    if (result == 0)
        isBound();
    if (result != EINPROGRESS || (!isOnItsWay() && observe(readiness::Readable) != 0))
        schedule();
}

int ProxyListener::observe(std::uint32_t wanted) {
    if (isAsked_ && failure() == nullptr)
        return ProxyEngine::observe(wanted);
    if (wanted != readiness::None)
        schedule(); // what failed is told, or the proxy is asked anew
    return 0;
}

std::uint32_t ProxyListener::wait(std::uint32_t wanted, std::optional<Time> until, int* error) {
    if (wanted != readiness::None)
        return ProxyEngine::wait(wanted, until, error);
    *error = std::max(-pollUntil({}, until), 0);
    return readiness::None;
}

} // namespace halyard
