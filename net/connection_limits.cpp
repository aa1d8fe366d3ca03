#include <halyard/net/connection_limits.h>

#include <halyard/net/stream_server.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <random>
#include <span>

namespace halyard {

namespace {

constexpr int bitsOfIPv4 = 32;
constexpr int bitsOfIPv6 = 128;

std::uint64_t secretNumber() {
    std::random_device random;
    return std::uint64_t{random()} << 32 | random();
}

/// The finalizer of MurmurHash3.
std::uint64_t mixed(std::uint64_t number) noexcept {
    number = (number ^ (number >> 33)) * 0xff51afd7ed558ccdU;
    number = (number ^ (number >> 33)) * 0xc4ceb9fe1a85ec53U;
    return number ^ (number >> 33);
}

} // namespace

bool ConnectionPermit::countFor(const HostAddress& peer) {
    return limits_ == nullptr || peer_ || peer.isNull() || limits_->add(peer, peer_);
}

void ConnectionPermit::giveBack() noexcept {
    if (const auto limits = std::exchange(limits_, nullptr))
        limits->remove(std::exchange(peer_, std::nullopt));
}

std::size_t ConnectionLimits::Hash::operator()(const HostAddress& peer) const noexcept {
    const auto bytes = peer.toIPv6();
    std::array<std::uint64_t, 2> halves{};
    std::memcpy(halves.data(), bytes.data(), sizeof halves);
    return static_cast<std::size_t>(mixed(mixed(halves[0] ^ secret) ^ halves[1]));
}

ConnectionLimits::ConnectionLimits(std::size_t connections, std::size_t ofOnePeer)
    : maxConnections_(connections), maxOfOnePeer_(ofOnePeer), peers_(0, Hash{secretNumber()}) {}

ConnectionLimits::~ConnectionLimits() = default;

void ConnectionLimits::setMaxConnections(std::size_t count) {
    const std::lock_guard lock(mutex_);
    maxConnections_ = count;
    tellWaiting();
}

std::size_t ConnectionLimits::maxConnections() const {
    const std::lock_guard lock(mutex_);
    return maxConnections_;
}

void ConnectionLimits::setMaxConnectionsOfOnePeer(std::size_t count) {
    const std::lock_guard lock(mutex_);
    maxOfOnePeer_ = count;
}

std::size_t ConnectionLimits::maxConnectionsOfOnePeer() const {
    const std::lock_guard lock(mutex_);
    return maxOfOnePeer_;
}

void ConnectionLimits::setPeerPrefixes(int ofIPv4, int ofIPv6) {
    const std::lock_guard lock(mutex_);
    ipv4Prefix_ = std::clamp(ofIPv4, 0, bitsOfIPv4);
    ipv6Prefix_ = std::clamp(ofIPv6, 0, bitsOfIPv6);
}

HostAddress ConnectionLimits::peerOf(const HostAddress& address) const {
    const std::lock_guard lock(mutex_);
    return networkOf(address);
}

HostAddress ConnectionLimits::networkOf(const HostAddress& address) const noexcept {
    if (const auto ipv4 = address.toIPv4())
        return HostAddress(ipv4Prefix_ == 0 ? 0 : *ipv4 & ~std::uint32_t{0} << (bitsOfIPv4 - ipv4Prefix_));
    auto bytes = address.toIPv6();
    for (int at = 0; at != static_cast<int>(bytes.size()); ++at) {
        const int kept = std::clamp(ipv6Prefix_ - at * 8, 0, 8);
        bytes[static_cast<std::size_t>(at)] &= static_cast<std::uint8_t>(0xff00 >> kept);
    }
    // What is link-local is somebody else on every link.
    return HostAddress(std::span<const std::uint8_t, 16>(bytes), address.scopeId());
}

std::size_t ConnectionLimits::connections() const {
    const std::lock_guard lock(mutex_);
    return connections_;
}

std::size_t ConnectionLimits::connectionsOfPeer(const HostAddress& address) const {
    const std::lock_guard lock(mutex_);
    const auto found = peers_.find(networkOf(address));
    return found != peers_.end() ? found->second : 0;
}

std::uint64_t ConnectionLimits::refusedConnections() const {
    const std::lock_guard lock(mutex_);
    return refused_;
}

bool ConnectionLimits::haveRoom() const {
    const std::lock_guard lock(mutex_);
    return !isFull();
}

ConnectionPermit ConnectionLimits::permitFor(StreamServer& server) {
    const std::lock_guard lock(mutex_);
    if (!isFull()) {
        ++connections_;
        return ConnectionPermit(shared_from_this());
    }
    if (std::find(waiting_.begin(), waiting_.end(), &server) == waiting_.end())
        waiting_.push_back(&server);
    return {};
}

void ConnectionLimits::forget(const StreamServer& server) noexcept {
    const std::lock_guard lock(mutex_);
    std::erase(waiting_, &server);
}

/// Each tries again, on its own thread. One that cannot be told for lack of memory is told the next time.
void ConnectionLimits::tellWaiting() noexcept {
    std::erase_if(waiting_, [](const StreamServer* each) {
        try {
            each->roomCame_();
            return true;
        } catch (const std::bad_alloc&) {
            return false;
        }
    });
}

bool ConnectionLimits::add(const HostAddress& address, std::optional<HostAddress>& peer) {
    const std::lock_guard lock(mutex_);
    if (maxOfOnePeer_ == 0)
        return true;
    const HostAddress network = networkOf(address);
    std::size_t& count = peers_[network];
    if (count >= maxOfOnePeer_) {
        ++refused_;
        return false;
    }
    ++count;
    peer = network;
    return true;
}

void ConnectionLimits::remove(const std::optional<HostAddress>& peer) noexcept {
    const std::lock_guard lock(mutex_);
    --connections_;
    if (peer)
        if (const auto found = peers_.find(*peer); found != peers_.end() && --found->second == 0)
            peers_.erase(found);
    if (!waiting_.empty() && !isFull())
        tellWaiting();
}

} // namespace halyard
