#include <halyard/net/awaitables.h>

#include <halyard/core/running_task.h>

#include <optional>

namespace halyard {

namespace {

/// A socket's news for the task, each connected when it is first wanted.
class SocketWatch final : public Watch {
  public:
    SocketWatch(StreamSocket& socket, RunningTask& task) : Watch(socket, task), socket_(socket) {
        connect(socket_.readChannelFinished);
        connect(socket_.disconnected);
        connect(socket_.errorOccurred);
    }

    void want(SocketNews news) {
        if (!isNew(static_cast<std::uint8_t>(news)))
            return;
        if (news == SocketNews::Bytes)
            connect(socket_.readyRead);
        else if (news == SocketNews::Sent)
            connect(socket_.bytesWritten);
        else
            connect(socket_.connected);
    }

    static SocketWatch& of(StreamSocket& socket, RunningTask& task, SocketNews news) {
        auto& watch = task.watch<SocketWatch>(socket);
        watch.want(news);
        return watch;
    }

  private:
    template <class AnySignal>
    void connect(AnySignal& signal) {
        signal.connect(&task(), [this] { happened(); });
    }

    StreamSocket& socket_;
};

class ServerWatch final : public Watch {
  public:
    ServerWatch(StreamServer& server, RunningTask& task) : Watch(server, task) {
        server.newConnection.connect(&task, [this] { happened(); });
        server.acceptError.connect(&task, [this] { happened(); });
    }
};

/// Why nothing comes from, or goes to, the socket any more.
std::error_code endOf(const StreamSocket& socket) {
    if (socket.error() != SocketError::None)
        return socket.error();
    return socket.state() == SocketState::Unconnected ? SocketError::Operation : SocketError::RemoteHostClosed;
}

bool isOpen(const StreamSocket& socket) { return socket.state() != SocketState::Unconnected; }

} // namespace

bool FrameWait::look() {
    std::optional<std::string> frame = size_                ? frames_.read(*size_)
                                       : delimiter_.empty() ? frames_.readLine()
                                                            : frames_.readUntil(delimiter_);
    if (frame)
        return set(*std::move(frame));
    if (frames_.isTooLong())
        return fail(std::make_error_code(std::errc::message_size));
    return !socket_.isReceiving() && fail(endOf(socket_));
}

void FrameWait::begin() { listenTo(SocketWatch::of(socket_, task(), SocketNews::Bytes)); }

bool BytesWait::look() { return socket_.bytesAvailable() != 0 || (!socket_.isReceiving() && fail(endOf(socket_))); }

void BytesWait::begin() { listenTo(SocketWatch::of(socket_, task(), SocketNews::Bytes)); }

bool DrainWait::look() {
    if (!isOpen(socket_))
        return fail(endOf(socket_));
    // What was thrown away was not sent: the end of that connection is on its way.
    return !socket_.hasLostOutput() && socket_.bytesToWrite() <= atMost_;
}

void DrainWait::begin() { listenTo(SocketWatch::of(socket_, task(), SocketNews::Sent)); }

bool ConnectWait::look() {
    if (failure() || !begun_)
        return failure().has_value();
    switch (socket_.state()) {
    case SocketState::Connected:
        return set();
    case SocketState::HostLookup:
    case SocketState::Connecting:
        return false;
    default:
        return fail(endOf(socket_));
    }
}

void ConnectWait::begin() {
    if (socket_.state() != SocketState::Unconnected && socket_.state() != SocketState::Bound) {
        fail(SocketError::Operation);
        happened();
        return;
    }
    listenTo(SocketWatch::of(socket_, task(), SocketNews::Connected));
    begun_ = true;
    if (host_.empty())
        socket_.connectToHost(address_, port_); // whose slots may do anything
    else
        socket_.connectToHost(host_, port_);
}

bool ConnectWait::interrupted(std::error_code why) {
    if (begun_ && why != std::errc::owner_dead)
        socket_.abort();
    return NetworkWait::interrupted(why);
}

bool AcceptWait::look() {
    if (StreamSocket* const client = server_.nextPendingConnection())
        return set(client);
    const bool isBroken =
        server_.acceptState() == AcceptState::PausedByError && server_.serverError() != SocketError::SocketResource;
    return isBroken && fail(server_.serverError());
}

void AcceptWait::begin() { listenTo(task().watch<ServerWatch>(server_)); }

} // namespace halyard
