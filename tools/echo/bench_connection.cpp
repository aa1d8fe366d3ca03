#include "bench_connection.h"

#include <halyard/core/timer.h>

#include <algorithm>
#include <string_view>
#include <utility>

namespace echo {

namespace {

using namespace std::chrono_literals;

constexpr auto beforeNextTry = 100ms;

} // namespace

BenchConnection::BenchConnection(const BenchOptions& options, const std::string& message, BenchResult& result)
    : options_(options), message_(message), result_(result) {
    connect();
}

void BenchConnection::connect() {
    if (socket_ != nullptr)
        socket_.release()->deleteLater(); // its slot may be running
    stands_ = false;
    sentHere_ = 0;
    place_ = 0;
    socket_ = makeSocketFor(options_.peer);
    socket_->connected.connect(this, &BenchConnection::begin);
    socket_->readyRead.connect(this, &BenchConnection::receive);
    socket_->errorOccurred.connect(this, [this, socket = socket_.get()] {
        if (socket == socket_.get())
            fail(socket->errorString());
    });
    startConnecting(*socket_, options_.peer);
}

void BenchConnection::begin() {
    stands_ = true;
    ++result_.connects;
    while (!kept_.empty() && !isWornOut()) {
        transmit(kept_.front());
        kept_.pop_front();
    }
    if (options_.rate > 0)
        return;
    for (std::size_t i = 0; i != options_.depth && !isWornOut(); ++i)
        transmit(Clock::now());
}

void BenchConnection::send(Clock::time_point since) {
    if (stands_ && !isWornOut())
        transmit(since);
    else
        kept_.push_back(since);
}

void BenchConnection::transmit(Clock::time_point since) {
    ++sentHere_;
    ++result_.sent;
    onTheWay_.push_back(since);
    socket_->write(message_);
}

void BenchConnection::receive() {
    for (std::string_view bytes = socket_->peek(); !bytes.empty(); bytes = socket_->peek()) {
        const std::string_view wanted = std::string_view(message_).substr(place_, bytes.size());
        if (onTheWay_.empty() || bytes.substr(0, wanted.size()) != wanted) {
            fail("what came back is not what was sent");
            return;
        }
        socket_->skip(wanted.size());
        place_ += wanted.size();
        if (place_ == message_.size())
            cameBack();
    }
    if (isWornOut() && onTheWay_.empty())
        again(0ms);
}

void BenchConnection::cameBack() {
    place_ = 0;
    const auto now = Clock::now();
    result_.latencies.add(now - onTheWay_.front());
    onTheWay_.pop_front();
    if (options_.rate <= 0 && !isWornOut())
        transmit(now);
}

void BenchConnection::fail(const std::string& sentence) {
    result_.failed += std::max<std::uint64_t>(onTheWay_.size(), stands_ ? 0 : 1);
    onTheWay_.clear();
    ++result_.errors[sentence];
    if (result_.connects == 0)
        neverConnected(sentence);
    else
        again(beforeNextTry);
}

void BenchConnection::again(std::chrono::milliseconds delay) {
    stands_ = false;
    if (delay == 0ms) {
        socket_->disconnectFromHost();
        connect();
        return;
    }
    // What is left of the old one is nobody's any more.
    std::exchange(socket_, nullptr).release()->deleteLater();
    halyard::Timer::singleShot(delay, this, [this] { connect(); });
}

} // namespace echo
