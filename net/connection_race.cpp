#include "connection_race.h"

#include "poll_until.h"
#include "unclaimed_descriptor.h"

#include <halyard/core/fd_watcher.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <utility>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace halyard {

/// One connect(2) under way, and its descriptor.
class ConnectionRace::Attempt final : public FdWatcher {
  public:
    Attempt(ConnectionRace& race, const Endpoint& to, int descriptor) noexcept
        : peer(to), race_(race), descriptor_(descriptor) {}
    ~Attempt() override {
        unwatch(); // before the number can be somebody else's
        if (descriptor_ >= 0)
            ::close(descriptor_);
    }

    int descriptor() const noexcept { return descriptor_; }
    int release() noexcept {
        unwatch();
        return std::exchange(descriptor_, -1);
    }

    /// 0 connected, EINPROGRESS not yet, else why it failed.
    int result() noexcept {
        takeReady();
        int error = 0;
        socklen_t length = sizeof error;
        if (::getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &error, &length) != 0)
            return errno;
        if (error != 0)
            return error;
        // No error is also what an attempt under way has: only a connected one has a peer.
        sockaddr_storage name{};
        socklen_t size = sizeof name;
        if (::getpeername(descriptor_, reinterpret_cast<sockaddr*>(&name), &size) == 0)
            return 0;
        return errno == ENOTCONN ? EINPROGRESS : errno;
    }

    const Endpoint peer;

  private:
    void dispatch() override { race_.look(*this); }

    ConnectionRace& race_;
    int descriptor_;
};

namespace {

/// Whether it says no more than that this machine has no way to there.
bool sawNobody(int error) noexcept {
    switch (error) {
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
    case EINVAL: // a link-local address without its scope
        return true;
    default:
        return false;
    }
}

} // namespace

std::vector<Endpoint> ConnectionRace::inOrder(std::span<const HostAddress> addresses, std::uint16_t port) {
    std::vector<Endpoint> families[2]; // the one that comes first, the other one
    for (const HostAddress& address : addresses) {
        auto& family = families[address.protocol() == addresses.front().protocol() ? 0 : 1];
        if (const Endpoint peer{address, port}; std::ranges::find(family, peer) == family.end())
            family.push_back(peer);
    }
    std::vector<Endpoint> all;
    for (std::size_t i = 0; i < std::max(families[0].size(), families[1].size()); ++i)
        for (const auto& family : families)
            if (i < family.size())
                all.push_back(family[i]);
    return all;
}

ConnectionRace::ConnectionRace(std::vector<Endpoint> peers, std::chrono::milliseconds delay, Prepare prepare,
                               Ended ended)
    : peers_(std::move(peers)),
      delay_(std::max(delay, shortestDelay)),
      prepare_(std::move(prepare)),
      ended_(std::move(ended)) {
    outcome_.error = EADDRNOTAVAIL; // for an empty list
    startNext();
}

ConnectionRace::~ConnectionRace() {
    if (outcome_.descriptor >= 0)
        ::close(outcome_.descriptor);
}

bool ConnectionRace::hasEnded() const noexcept {
    return outcome_.descriptor >= 0 || (attempts_.empty() && next_ == peers_.size());
}

/// Starts attempts until one is under way. Whatever comes of it is told later.
void ConnectionRace::startNext() {
    disarm();
    while (next_ != peers_.size() && outcome_.descriptor < 0) {
        const Endpoint& peer = peers_[next_++];
        const int error = start(peer);
        if (error == EINPROGRESS) {
            if (next_ != peers_.size())
                armForNext();
            return;
        }
        if (error != 0)
            fail(peer, error);
    }
    if (hasEnded())
        schedule();
}

/// Without memory for the deadline the next one starts when this one has failed.
void ConnectionRace::armForNext() noexcept {
    try {
        arm(Deadline::after(delay_));
    } catch (const std::bad_alloc&) { // see above
    }
}

int ConnectionRace::start(const Endpoint& peer) noexcept {
    try {
        return tryToStart(peer);
    } catch (const std::bad_alloc&) {
        return ENOMEM;
    }
}

int ConnectionRace::tryToStart(const Endpoint& peer) {
    sockaddr_storage name{};
    const auto length = static_cast<socklen_t>(peer.address.toSockaddr(name, peer.port));
    if (length == 0)
        return EADDRNOTAVAIL;
    const int descriptor = ::socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0)
        return errno;
    UnclaimedDescriptor unclaimed(descriptor);
    auto attempt = std::make_unique<Attempt>(*this, peer, descriptor);
    unclaimed.claimed();
    if (const int error = prepare_ ? prepare_(descriptor, peer) : 0; error != 0)
        return error;
    int result = 0;
    do {
        result = ::connect(descriptor, reinterpret_cast<const sockaddr*>(&name), length);
    } while (result != 0 && errno == EINTR);
    if (result == 0) {
        outcome_ = {attempt->release(), peer, 0};
        return 0;
    }
    if (errno != EINPROGRESS)
        return errno;
    if (const int error = attempt->watch(descriptor, readiness::Writable); error != 0)
        return error;
    attempts_.push_back(std::move(attempt));
    return EINPROGRESS;
}

/// Keeps the first failure to tell of; but that this machine has no way to some address says nothing about the host,
/// and is told only where nothing else happened.
void ConnectionRace::fail(const Endpoint& peer, int error) {
    if (outcome_.peer.address.isNull() || (sawNobody(outcome_.error) && !sawNobody(error)))
        outcome_ = {-1, peer, error};
}

/// An attempt may be over. If it failed and was the last to start, the next one starts.
void ConnectionRace::examine(Attempt& attempt) {
    int error = attempt.result();
    if (error == EINPROGRESS) {
        error = attempt.setInterest(readiness::Writable); // after an error it is watched no longer
        if (error == 0)
            return;
    }
    const bool wasLast = attempts_.back().get() == &attempt;
    if (error == 0)
        outcome_ = {attempt.release(), attempt.peer, 0};
    else
        fail(attempt.peer, error);
    std::erase_if(attempts_, [&attempt](const auto& each) { return each.get() == &attempt; });
    if (wasLast && outcome_.descriptor < 0)
        startNext();
}

void ConnectionRace::look(Attempt& attempt) {
    examine(attempt);
    if (hasEnded())
        tell();
}

/// The deadline of the next attempt, or an end that was to be told.
void ConnectionRace::dispatch() {
    if (!hasEnded())
        startNext();
    if (hasEnded())
        tell();
}

void ConnectionRace::tell() {
    disarm();
    attempts_.clear();
    Outcome outcome = outcome_;
    outcome_.descriptor = -1;
    const Ended ended = std::move(ended_); // which may destroy this
    ended(outcome);
}

// --- without the loop ---

bool ConnectionRace::wait(std::optional<Clock::time_point> until, int* error) {
    *error = 0;
    while (!hasEnded())
        if (!gather(until, error))
            return false;
    tell();
    return true;
}

/// Waits for an attempt, the next one's turn or `until`, and does what is due. False when it is too late, or with
/// `*error` set.
bool ConnectionRace::gather(std::optional<Clock::time_point> until, int* error) {
    std::vector<pollfd> looks;
    for (const auto& attempt : attempts_)
        looks.push_back({attempt->descriptor(), POLLOUT, 0});
    const bool hasNext = isArmed();
    const auto next = hasNext ? std::optional(WaitClock::when(when())) : std::nullopt;
    const int ready = pollUntil(looks, next && (!until || *next < *until) ? next : until);
    *error = std::max(-ready, 0);
    if (ready < 0)
        return false;
    if (ready > 0) {
        for (const pollfd& look : looks) {
            const auto which =
                std::ranges::find(attempts_, look.fd, [](const auto& each) { return each->descriptor(); });
            if (look.revents != 0 && which != attempts_.end() && outcome_.descriptor < 0)
                examine(**which);
        }
        return true;
    }
    if (!hasNext || when() > Clock::now())
        return false;
    startNext();
    return true;
}

} // namespace halyard
