#include "proxy_engine.h"

#include "host_name.h"
#include "http_connect_handshake.h"
#include "socks5_handshake.h"

#include <halyard/net/socket_types.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <new>
#include <system_error>
#include <utility>

#include <sys/socket.h>

namespace halyard {

namespace {

bool hasControlCharacter(std::string_view text) noexcept {
    return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; });
}

} // namespace

ProxyEngine::ProxyEngine(EngineClient& client, NetworkProxy proxy, std::string host, std::uint16_t port,
                         std::chrono::milliseconds attemptDelay, ConnectionRace::Prepare prepare)
    : NativeEngine(client),
      proxy_(std::move(proxy)),
      host_(std::move(host)),
      peer_{HostAddress::parse(host_).value_or(HostAddress()), port},
      prepare_(std::move(prepare)),
      attemptDelay_(attemptDelay) {}

int ProxyEngine::fail(SocketError error, std::string reason) {
    failure_ = {error, std::move(reason)};
    limit_.disarm();
    way_.reset();
    NativeEngine::close(false);
    return ECANCELED; // failure() knows more
}

/// What a step says; or that there was no memory for it, which is told in words that need none.
template <class Step>
int ProxyEngine::orNoMemory(Step step) noexcept {
    try {
        return step();
    } catch (const std::bad_alloc&) {
        return fail(SocketError::SocketResource, "no memory");
    }
}

/// What makes it no use to ask the proxy.
std::optional<EngineFailure> ProxyEngine::flaw() const {
    constexpr std::size_t longestText = 255; // RFC 1929 section 2
    if (const auto known = answerWithoutAsking(host_); known && known->error != SocketError::None)
        return EngineFailure{known->error, known->cause};
    for (const std::string& text : {std::cref(proxy_.user), std::cref(proxy_.password)}) {
        if (hasControlCharacter(text))
            return EngineFailure{SocketError::ProxyAuthenticationRequired,
                                 "the user name or the password has a control character"};
        if (proxy_.type == NetworkProxy::Socks5 && text.size() > longestText)
            return EngineFailure{SocketError::ProxyAuthenticationRequired,
                                 "the user name or the password is longer than 255 bytes"};
    }
    if (proxy_.type == NetworkProxy::Http && proxy_.user.find(':') != std::string::npos)
        return EngineFailure{SocketError::ProxyAuthenticationRequired,
                             "a user name with a colon cannot be told to an HTTP proxy (RFC 7617)"};
    return std::nullopt;
}

int ProxyEngine::begin(bool forListening, std::chrono::milliseconds limit) noexcept {
    return orNoMemory([&] { return tryToBegin(forListening, limit); });
}

int ProxyEngine::tryToBegin(bool forListening, std::chrono::milliseconds limit) {
    failure_.reset();
    if (auto what = flaw())
        return fail(what->error, std::move(what->reason));
    if (proxy_.type == NetworkProxy::Http)
        handshake_ = std::make_unique<HttpConnectHandshake>(host_, peer_.port, proxy_.user, proxy_.password);
    else
        handshake_ = std::make_unique<Socks5Handshake>(forListening ? Socks5Handshake::Command::Bind
                                                                    : Socks5Handshake::Command::Connect,
                                                       host_, peer_.port, proxy_.user, proxy_.password);
    if (descriptor() >= 0)
        from_ = local();
    limit_.arm(Deadline::after(limit));
    setOut();
    return 0;
}

/// On the way to the proxy, by a new connection.
void ProxyEngine::setOut() {
    heard_ = 0;
    way_ = std::make_unique<HostEngine>(static_cast<EngineClient&>(*this));
    if (descriptor() >= 0)
        way_->adopt(NativeEngine::release());
    else if (from_)
        way_->bindTo(*from_); // where it is not to be had any more, from anywhere
    way_->start(proxy_.host, proxy_.port, attemptDelay_, prepare_);
}

int ProxyEngine::connectTo(const Endpoint&) noexcept {
    const int error = begin(false, usualLimit);
    return error == 0 ? EINPROGRESS : error;
}

int ProxyEngine::goOn() noexcept {
    return orNoMemory([this] { return tryToGoOn(); });
}

int ProxyEngine::tryToGoOn() {
    for (;;) {
        if (failure_)
            return ECANCELED;
        if (way_ != nullptr)
            if (const int result = reachProxy(); result != 0)
                return result;
        if (const int result = converse(); result != EAGAIN)
            return result;
        NativeEngine::close(false);
        setOut();
    }
}

/// Whether the proxy has been reached: 0, EINPROGRESS or errno.
int ProxyEngine::reachProxy() {
    const HostLookup& lookup = way_->lookup();
    if (lookup.isFinished() && lookup.error() != SocketError::None)
        return fail(lookup.error() == SocketError::SocketResource ? lookup.error() : SocketError::ProxyNotFound,
                    lookup.errorString());
    const int result = way_->finishConnect();
    if (result == EINPROGRESS)
        return EINPROGRESS;
    if (result != 0) {
        const std::string reason = std::generic_category().message(result);
        if (result == ECONNREFUSED)
            return fail(SocketError::ProxyConnectionRefused, "it refused the connection");
        if (result == ETIMEDOUT)
            return fail(SocketError::ProxyConnectionTimeout, "it did not answer in time");
        if (result == ECONNRESET) // it had been reached
            return fail(SocketError::ProxyConnectionClosed, ProxyHandshake::closedTooEarly);
        return fail(socketErrorFromErrno(result), "it is not to be reached: " + reason);
    }
    adopt(way_->release());
    way_.reset();
    handshake_->begin();
    return 0;
}

int ProxyEngine::broke(int error) {
    return fail(socketErrorFromErrno(error), "the connection to it broke: " + std::generic_category().message(error));
}

/// As receive(), and leaves it there.
std::ptrdiff_t ProxyEngine::peek(std::span<std::byte> into) const noexcept {
    for (;;) {
        const ssize_t seen = ::recv(descriptor(), into.data(), into.size(), MSG_PEEK);
        if (seen >= 0 || errno != EINTR)
            return seen >= 0 ? seen : -errno;
    }
}

/// Speaks and listens as far as that goes: 0, EINPROGRESS, errno, or EAGAIN where it takes a new connection.
int ProxyEngine::converse() {
    using State = ProxyHandshake::State;
    std::array<std::byte, 4096> words;
    for (;;) {
        if (heard_ == 0) {
            // Looked at first: what comes behind the handshake is not to be read here.
            const std::ptrdiff_t seen = handshake_->toSend().empty() ? peek(words) : sendPiece(handshake_->toSend());
            if (seen == -EAGAIN)
                return EINPROGRESS;
            if (seen > 0 && !handshake_->toSend().empty()) {
                handshake_->sent(static_cast<std::size_t>(seen));
                continue;
            }
            if (seen < 0 && seen != -ECONNRESET && seen != -EPIPE)
                return broke(static_cast<int>(-seen));
            if (seen > 0)
                heard_ =
                    handshake_->receive({reinterpret_cast<const char*>(words.data()), static_cast<std::size_t>(seen)});
            else
                handshake_->ended();
        }
        while (heard_ != 0) {
            const std::ptrdiff_t read = receive(std::span(words).first(std::min(heard_, words.size())));
            if (read == -EAGAIN)
                return EINPROGRESS;
            if (read <= 0)
                return broke(read < 0 ? static_cast<int>(-read) : ECONNRESET);
            heard_ -= static_cast<std::size_t>(read);
        }
        switch (handshake_->state()) {
        case State::Talking:
            break;
        case State::Bound:
        case State::Stands:
            return 0;
        case State::Again:
            return EAGAIN;
        case State::Failed:
            return fail(handshake_->failure().error, handshake_->failure().reason);
        }
    }
}

int ProxyEngine::finishConnect() noexcept {
    int result = goOn();
    if (result == EINPROGRESS && way_ == nullptr) {
        result = observe(readiness::Writable);
        return result == 0 ? EINPROGRESS : result;
    }
    if (result == 0)
        limit_.disarm();
    return result;
}

std::unique_ptr<SocketEngine> ProxyEngine::successor() {
    auto native = std::make_unique<NativeEngine>(client());
    native->adopt(release());
    return native;
}

int ProxyEngine::timeIsOver() noexcept {
    return orNoMemory([this] { return fail(SocketError::ProxyConnectionTimeout, "it did not answer in time"); });
}

void ProxyEngine::Limit::dispatch() {
    engine_.timeIsOver();
    engine_.schedule();
}

/// The way to the proxy has come further.
void ProxyEngine::engineReady(std::uint32_t) { client().engineReady(readiness::Writable); }

std::uint32_t ProxyEngine::nextNeed() const noexcept {
    return heard_ != 0 || handshake_->toSend().empty() ? readiness::Readable : readiness::Writable;
}

int ProxyEngine::observe(std::uint32_t wanted) {
    if (way_ != nullptr || failure_)
        return 0;
    if (handshake_ != nullptr && wanted != readiness::None)
        wanted = nextNeed();
    return NativeEngine::observe(wanted);
}

std::uint32_t ProxyEngine::wait(std::uint32_t wanted, std::optional<Time> until, int* error) {
    *error = 0;
    if (handshake_ == nullptr || failure_)
        return NativeEngine::wait(wanted, until, error);
    const auto limit = limit_.isArmed() ? std::optional(WaitClock::when(limit_.when())) : std::nullopt;
    const bool limitFirst = limit && (!until || *limit < *until);
    const auto next = limitFirst ? limit : until;
    if (way_ == nullptr && wanted != readiness::None)
        wanted = nextNeed();
    const std::uint32_t ready =
        way_ != nullptr ? way_->wait(wanted, next, error) : NativeEngine::wait(wanted, next, error);
    if (ready != readiness::None || *error != 0 || !limitFirst)
        return ready;
    timeIsOver();
    return readiness::Writable;
}

void ProxyEngine::leaveLoop() noexcept {
    limit_.leaveLoop();
    if (way_ != nullptr)
        way_->leaveLoop();
    NativeEngine::leaveLoop();
}

void ProxyEngine::joinLoop() {
    NativeEngine::joinLoop();
    limit_.joinLoop();
    if (way_ != nullptr)
        way_->joinLoop();
}

} // namespace halyard
