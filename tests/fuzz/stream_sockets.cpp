// What a program may do with two clients, a server and the connections that it gives, from outside and in every slot:
// anything in any order, as the input says, while system calls fail if it says so. The first byte chooses what carries
// the connections.
#include "script.h"
#include "watched_socket.h"

#include <halyard/core/clock.h>
#include <halyard/core/event_loop.h>
#include <halyard/core/log.h>
#include <halyard/net/local_server.h>
#include <halyard/net/tcp_server.h>
#include <halyard/testing/faults.h>

#include <chrono>
#include <deque>

#include <fcntl.h>
#include <sys/socket.h>

using namespace halyard;
using namespace halyard::fuzz;
using namespace std::chrono_literals;

namespace {

const std::string localName = "@halyard-fuzz-" + std::to_string(::getpid());

class World {
  public:
    World(std::string_view script, bool isLocal) : script_(script), isLocal_(isLocal) {
        makeServer();
        for (auto& each : clients_)
            each = add(makeSocket());
    }
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    void run() {
        while (!script_.isOver()) {
            attempt([this] { doSomething(); });
            for (const auto& each : all_)
                each->check();
        }
        settle();
    }

    ~World() {
        script_.withoutThrowing([this] {
            delete server_.get();
            all_.clear();
        });
    }

  private:
    void act() {
        script_.act([this] { doSomething(); });
    }

    template <class Action>
    void attempt(Action action) {
        try {
            action();
        } catch (const Thrown&) {
            for (const auto& each : all_)
                each->slotHasThrown();
        }
    }

    // --- who is there ---

    StreamSocket* makeSocket() const {
        if (isLocal_)
            return new LocalSocket;
        return new TcpSocket;
    }

    WatchedSocket* add(StreamSocket* socket) {
        all_.push_back(std::make_unique<WatchedSocket>(socket, flows_, [this](bool mayThrow) {
            if (mayThrow)
                act();
            else
                script_.withoutThrowing([this] { act(); });
        }));
        return all_.back().get();
    }

    void makeServer() {
        server_ = isLocal_ ? static_cast<StreamServer*>(new LocalServer) : new TcpServer;
        server_->newConnection.connect([this] { act(); });
        server_->pendingConnectionAvailable.connect([this] { act(); });
        listen();
    }

    void listen() {
        if (isLocal_)
            static_cast<LocalServer&>(*server_).listen(localName);
        else
            static_cast<TcpServer&>(*server_).listen(HostAddress::LocalHost);
    }

    // --- what is done ---

    void doSomething() {
        const std::uint8_t what = script_.next() % 37;
        const std::uint8_t how = script_.next();
        WatchedSocket* const client = how % 2 == 0 ? clients_[how / 2 % 2] : accepted_[how / 2 % 2];
        const std::uint8_t value = how / 4;
        if (what >= 26)
            doToAll(what, how);
        else if (client != nullptr && !client->isGone())
            doTo(*client, what, value);
    }

    void doTo(WatchedSocket& watched, std::uint8_t what, std::uint8_t value) {
        StreamSocket& socket = *watched.get();
        switch (what) {
        case 0:
        case 1:
            connect(watched);
            break;
        case 2:
            write(watched, 1U + value);
            break;
        case 3: {
            constexpr std::array<std::size_t, 4> sizes{1000, 20'000, 70'000, 300'000};
            write(watched, sizes[value % sizes.size()]);
            break;
        }
        case 4:
        case 5:
            watched.readAll();
            break;
        case 6:
            watched.took(socket.read(value * 100U));
            break;
        case 7: {
            watched.took(socket.peek());
            socket.skip(socket.peek().size());
            break;
        }
        case 8:
            watched.took(socket.readLine(value));
            break;
        case 9: {
            std::array<std::byte, 100> room{};
            const std::ptrdiff_t size = socket.read(std::span(room).first(value));
            demand(size >= 0 || socket.state() == SocketState::Unconnected);
            watched.took({reinterpret_cast<const char*>(room.data()),
                          static_cast<std::size_t>(std::max<std::ptrdiff_t>(size, 0))});
            break;
        }
        case 10:
            watched.endsItself(false);
            socket.disconnectFromHost();
            break;
        case 11:
            watched.endsItself(false);
            socket.close();
            break;
        case 12:
            watched.endsItself(true);
            socket.abort();
            break;
        case 13:
            watched.endsItself(false);
            script_.withoutThrowing([&] { delete &socket; });
            break;
        case 14:
            watched.endsItself(false);
            socket.deleteLater();
            break;
        case 15:
            socket.shutdownWrite();
            break;
        case 16:
            socket.setAllowHalfOpen(value % 2 == 0);
            break;
        case 17:
            socket.pauseReading();
            break;
        case 18:
            socket.resumeReading();
            break;
        case 19:
            socket.setReadBufferSize(value % 4 * 5000U);
            break;
        case 20:
            watched.setsWatermarks(value % 4 * 100U, value / 4U * 1000U);
            break;
        case 21:
            socket.setWriteBufferLimit(value * 10'000U);
            break;
        case 22:
            setTimeout(watched, value);
            break;
        case 23:
            watched.flushes();
            break;
        case 24:
            wait(watched, value);
            break;
        case 25:
            if (watched.canWrite() && budget_ > 10'000) {
                budget_ -= value * 100U;
                watched.sendFile(value * 100U);
            }
            break;
        default:
            break;
        }
    }

    void doToAll(std::uint8_t what, std::uint8_t how) {
        switch (what) {
        case 26:
        case 27:
            for (int turns = 1 + how % 4; turns != 0; --turns)
                EventLoop::current()->processEvents();
            break;
        case 28:
            take(how % 2);
            break;
        case 29:
            steerServer(how);
            break;
        case 30:
            if (server_)
                server_->waitForNewConnection(0);
            break;
        case 31: {
            constexpr std::array<std::chrono::milliseconds, 4> times{1ms, 10ms, 1s, 40s};
            if (how % times.size() >= 2)
                flows_.mayLose();
            clock_.advance(times[how % times.size()]);
            break;
        }
        case 32:
            adoptPair();
            break;
        case 33:
            script_.throwIfAllowed();
            break;
        case 34:
            if (clients_[how % 2]->isGone())
                clients_[how % 2] = add(makeSocket());
            break;
        case 35:
            release(how);
            break;
        case 36:
            injectFault(how);
            break;
        default:
            break;
        }
    }

    void connect(WatchedSocket& watched) {
        StreamSocket& socket = *watched.get();
        if (server_ == nullptr)
            return;
        if (socket.state() == SocketState::Unconnected)
            watched.connectionBegins();
        if (isLocal_)
            static_cast<LocalSocket&>(socket).connectToServer(localName);
        else
            static_cast<TcpSocket&>(socket).connectToHost(HostAddress::LocalHost,
                                                          static_cast<TcpServer&>(*server_).serverPort());
    }

    void write(WatchedSocket& watched, std::size_t size) {
        if (!watched.canWrite() || budget_ < size)
            return;
        budget_ -= size;
        watched.write(size);
    }

    static void setTimeout(WatchedSocket& watched, std::uint8_t value) {
        StreamSocket& socket = *watched.get();
        watched.setHasTimeouts();
        const std::chrono::milliseconds limit(value / 4);
        switch (value % 4) {
        case 0:
            socket.setConnectTimeout(limit);
            break;
        case 1:
            socket.setReadTimeout(limit);
            break;
        case 2:
            socket.setWriteTimeout(limit);
            break;
        default:
            socket.setClosingTimeout(limit);
            break;
        }
    }

    /// Only a look, or a millisecond.
    static void wait(WatchedSocket& watched, std::uint8_t value) {
        StreamSocket& socket = *watched.get();
        const int msec = value / 4 % 8 == 0 ? 1 : 0;
        switch (value % 4) {
        case 0: {
            if (socket.state() != SocketState::Connected)
                watched.endsItself(true); // it is given up when its time is over
            const bool is = socket.waitForConnected(msec);
            demand(!is || (!watched.isGone() && socket.state() == SocketState::Connected));
            break;
        }
        case 1:
            if (socket.state() != SocketState::Connected)
                watched.endsItself(true);
            socket.waitForReadyRead(msec);
            break;
        case 2:
            if (socket.state() != SocketState::Connected)
                watched.endsItself(true);
            socket.waitForBytesWritten(msec);
            break;
        default: {
            if (socket.state() != SocketState::Connected)
                watched.endsItself(true);
            const bool is = socket.waitForDisconnected(msec);
            demand(!is || (!watched.isGone() && socket.state() == SocketState::Unconnected));
            break;
        }
        }
    }

    void take(std::size_t place) {
        if (server_ == nullptr || (accepted_[place] != nullptr && !accepted_[place]->isGone()))
            return;
        const bool waits = server_->hasPendingConnections();
        StreamSocket* const socket = server_->nextPendingConnection();
        demand(waits == (socket != nullptr));
        if (socket == nullptr)
            return;
        socket->setParent(nullptr);
        accepted_[place] = add(socket);
    }

    void steerServer(std::uint8_t how) {
        if (server_ == nullptr) {
            makeServer();
            return;
        }
        switch (how % 8) {
        case 0:
            endPending();
            break;
        case 1:
            server_->pauseAccepting();
            break;
        case 2:
            server_->resumeAccepting();
            break;
        case 3:
            server_->setMaxPendingConnections(how / 8 % 4);
            break;
        case 4:
            flows_.mayLose();
            script_.withoutThrowing([this] { delete server_.get(); });
            break;
        default:
            if (!server_->isListening())
                listen();
            break;
        }
        demand(server_ == nullptr || server_->isListening() == (server_->acceptState() != AcceptState::Closed));
    }

    /// With it, those whom nobody has taken.
    void endPending() {
        flows_.mayLose();
        script_.withoutThrowing([this] { server_->close(); });
    }

    void adoptPair() {
        std::array<WatchedSocket*, 2> both{clients_[0], clients_[1]};
        for (WatchedSocket* each : both)
            if (each->isGone() || each->get()->state() != SocketState::Unconnected)
                return;
        std::array<int, 2> ends{};
        demand(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
        for (std::size_t i = 0; i != 2; ++i) {
            if (both[i]->isGone() || both[i]->get()->state() != SocketState::Unconnected) { // a slot's doing
                ::close(ends[i]);
                continue;
            }
            both[i]->readAll(); // where it is refused, that stays
            both[i]->connectionBegins();
            try {
                if (!both[i]->get()->setSocketDescriptor(ends[i])) {
                    demand(hasFaults_);
                    ::close(ends[i]);
                }
            } catch (...) {
                if (i == 0)
                    ::close(ends[1]);
                throw;
            }
        }
    }

    void release(std::uint8_t how) {
        WatchedSocket* const watched = how % 2 == 0 ? clients_[how / 2 % 2] : accepted_[how / 2 % 2];
        if (watched == nullptr || watched->isGone())
            return;
        watched->endsItself(true);
        const int descriptor = watched->get()->releaseDescriptor();
        if (descriptor >= 0)
            ::close(descriptor);
    }

    /// Those of libuv's are left out with which it ends the program, and operator new.
    void injectFault(std::uint8_t how) {
        using enum testing::Call;
        constexpr std::array calls{Accept4,    Bind,    Connect,    Fcntl,    GetPeerName, GetSockName,
                                   GetSockOpt, Listen,  Poll,       Recv,     RecvMsg,     Send,
                                   SendFile,   SendMsg, SetSockOpt, Shutdown, Socket};
        const testing::Call call = calls[how % calls.size()];
        const std::uint8_t when = script_.next();
        flows_.mayLose(true);
        hasFaults_ = true;
        if ((when & 1U) == 0) {
            faults_.shorten(call, 1U + when, testing::When::always());
            return;
        }
        const auto errors = testing::errorsOf(call);
        faults_.fail(call, errors[when / 8U % errors.size()],
                     when % 4 == 1 ? testing::When::nth(1U + when / 8U % 4U) : testing::When::byChance(0.2, when));
    }

    // --- the end ---

    /// Everybody reads all there is, until nothing comes any more: then every flow has come whole.
    void settle() {
        faults_.clear();
        if (server_) {
            server_->resumeAccepting();
            server_->setMaxPendingConnections(30);
        }
        for (const auto& each : all_) {
            if (each->isGone())
                continue;
            each->get()->resumeReading();
            each->get()->setReadBufferSize(0);
        }
        for (int idle = 0, turns = 0; idle != 4; ++turns) {
            bool moves = EventLoop::current()->processEvents(idle != 0 && !isSettled() ? 20ms : 0ms);
            for (std::size_t i = 0; i != all_.size(); ++i) { // a slot may take one more
                moves = moves || all_[i]->isUnread();
                if (!all_[i]->isGone())
                    all_[i]->readAll();
                all_[i]->check();
            }
            idle = moves ? 0 : idle + 1;
            demand(turns != 10'000);
        }
        demand(isSettled());
        clock_.advance(60s); // more than a peer that nobody takes may hold an end
        for (int turns = 0; turns != 4; ++turns)
            EventLoop::current()->processEvents();
        for (const auto& each : all_)
            demand(each->isGone() || each->mayStay() || each->get()->state() != SocketState::Closing);
    }

    bool isSettled() const {
        return std::ranges::all_of(all_, [](const auto& each) { return each->isSettled(); });
    }

    Script script_;
    const bool isLocal_;
    ManualClock clock_;
    testing::Faults faults_;
    bool hasFaults_ = false;
    Flows flows_;
    std::deque<std::unique_ptr<WatchedSocket>> all_;
    std::array<WatchedSocket*, 2> clients_{};
    std::array<WatchedSocket*, 2> accepted_{};
    Pointer<StreamServer> server_;
    std::size_t budget_ = 2'000'000; ///< bytes that may still be written
};

int lowestFreeDescriptor() {
    const int descriptor = ::fcntl(0, F_DUPFD_CLOEXEC, 0);
    ::close(descriptor);
    return descriptor;
}

} // namespace

/// What is made once and kept.
extern "C" int LLVMFuzzerInitialize(int*, char***) {
    setLogSink([](LogLevel, std::string_view, std::string_view) {});
    fileOfFlows();
    EventLoop::current()->processEvents();
    LocalServer server;
    server.listen(localName);
    server.waitForNewConnection(0);
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2)
        return 0;
    const int firstFree = lowestFreeDescriptor();
    {
        World world(textOf(data + 1, size - 1), data[0] % 2 == 0);
        world.run();
    }
    {
        ManualClock clock;
        for (int turns = 0; turns != 4; ++turns)
            EventLoop::current()->processEvents();
        clock.advance(60s); // closes what still waits for a peer that does not read
    }
    demand(lowestFreeDescriptor() == firstFree);
    return 0;
}
