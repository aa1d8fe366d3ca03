#include "host_engine.h"

#include <cerrno>
#include <new>
#include <utility>

#include <netinet/in.h>
#include <sys/socket.h>

namespace halyard {

namespace {

bool isOfBothFamilies(int descriptor) noexcept {
    int onlySix = 1;
    socklen_t size = sizeof onlySix;
    return ::getsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &onlySix, &size) == 0 && onlySix == 0;
}

} // namespace

HostEngine::HostEngine(EngineClient& client) : NativeEngine(client) { makeLookup(); }

void HostEngine::makeLookup() {
    lookup_ = std::make_unique<HostLookup>();
    lookup_->finished.connect([this] { lookedUp(); });
}

void HostEngine::start(std::string host, std::uint16_t port, std::chrono::milliseconds delay,
                       ConnectionRace::Prepare prepare) noexcept {
    port_ = port;
    delay_ = delay;
    prepare_ = std::move(prepare);
    result_ = EINPROGRESS;
    host_ = std::move(host);
    try {
        lookup_->start(host_);
    } catch (const std::bad_alloc&) {
        result_ = ENOMEM;
        schedule();
    }
}

void HostEngine::lookedUp() {
    result_ = lookup_->error() == SocketError::None ? race() : ENOENT; // lookup() knows more
    tell();
}

/// EINPROGRESS, or that there is no memory to begin with.
int HostEngine::race() {
    try {
        race_ = std::make_unique<ConnectionRace>(
            ConnectionRace::inOrder(lookup_->addresses(), port_), delay_,
            [this](int descriptor, const Endpoint& peer) { return prepareFor(peer, descriptor); },
            [this](const ConnectionRace::Outcome& outcome) { raceEnded(outcome); });
        return EINPROGRESS;
    } catch (const std::bad_alloc&) {
        return ENOMEM;
    }
}

/// From the local address and port that is bound already, by another descriptor that keeps it until the race is over.
int HostEngine::prepareFor(const Endpoint& peer, int descriptor) const {
    if (this->descriptor() >= 0) {
        Endpoint from = local();
        const bool isFour = peer.address.protocol() == HostAddress::Protocol::IPv4;
        if (isFour && from.address.isUnspecified() && isOfBothFamilies(this->descriptor()))
            from.address = HostAddress::AnyIPv4;
        else if (from.address.protocol() != peer.address.protocol())
            return EAFNOSUPPORT;
        for (const int each : {this->descriptor(), descriptor})
            if (const int yes = 1; ::setsockopt(each, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0)
                return errno;
        sockaddr_storage name{};
        const auto length = static_cast<socklen_t>(from.address.toSockaddr(name, from.port));
        if (::bind(descriptor, reinterpret_cast<const sockaddr*>(&name), length) != 0)
            return errno;
    }
    return prepare_ ? prepare_(descriptor, peer) : 0;
}

void HostEngine::raceEnded(const ConnectionRace::Outcome& outcome) {
    race_.reset();
    if (outcome.descriptor >= 0)
        adopt(outcome.descriptor); // which closes what was bound
    peer_ = outcome.peer;
    result_ = outcome.error;
    tell();
}

/// The client may destroy this.
void HostEngine::tell() {
    if (!inWait_)
        client().engineReady(readiness::Writable);
}

int HostEngine::finishConnect() noexcept { return result_; }

int HostEngine::observe(std::uint32_t wanted) {
    return result_ == EINPROGRESS ? 0 : NativeEngine::observe(wanted); // the lookup and the race tell by themselves
}

std::uint32_t HostEngine::wait(std::uint32_t wanted, std::optional<Time> until, int* error) {
    if (result_ != EINPROGRESS)
        return NativeEngine::wait(wanted, until, error);
    *error = 0;
    inWait_ = true;
    bool isFurther = false;
    try {
        isFurther = race_ != nullptr ? race_->wait(until, error) : lookup_->waitForFinished(until);
    } catch (const std::bad_alloc&) {
        *error = ENOMEM;
    }
    inWait_ = false;
    return isFurther ? readiness::Writable : readiness::None;
}

void HostEngine::close(bool reset) noexcept {
    result_ = ECANCELED;
    race_.reset();
    if (lookup_ != nullptr)
        lookup_->abort();
    NativeEngine::close(reset);
}

void HostEngine::leaveLoop() noexcept {
    if (result_ == EINPROGRESS) {
        race_.reset();
        lookup_.reset();
    }
    NativeEngine::leaveLoop();
}

void HostEngine::joinLoop() {
    NativeEngine::joinLoop();
    if (lookup_ != nullptr)
        return;
    makeLookup();
    lookup_->start(host_);
}

} // namespace halyard
