#include "tcp_pair.h"
#include <plain_socket.h>

#include <halyard/core/event_loop.h>
#include <halyard/net/forwarder.h>
#include <halyard/net/tcp_server.h>

#include <pump.h>
#include <pump_peer.h>

#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <random>
#include <string>

#include <sys/socket.h>

using namespace halyard;
using namespace halyard::test;

namespace {

/// left.near <-> left.far = right.near <-> right.far
struct Chain {
    TcpPair left;
    TcpPair right;
    std::unique_ptr<Forwarder> forwarder = std::make_unique<Forwarder>(*left.far, *right.near);
    int finished = 0;

    Chain() {
        forwarder->finished.connect([this] { ++finished; });
    }
    bool isOver() const {
        for (const TcpSocket* const each : {left.near.get(), left.far.get(), right.near.get(), right.far.get()})
            if (each != nullptr && each->state() != SocketState::Unconnected)
                return false;
        return true;
    }
};

} // namespace

TEST_CASE("both directions are passed on, and counted") {
    Chain chain;
    chain.left.near->write("question");
    chain.right.far->write("answer!");
    REQUIRE(
        pumpUntil([&] { return chain.right.far->bytesAvailable() == 8 && chain.left.near->bytesAvailable() == 7; }));
    CHECK(chain.right.far->readAll() == "question");
    CHECK(chain.left.near->readAll() == "answer!");
    CHECK(chain.forwarder->bytesForward() == 8);
    CHECK(chain.forwarder->bytesBackward() == 7);
}

TEST_CASE("every byte is passed on, both ways at once, through half closes") {
    Chain chain;
    std::mt19937 random(17);
    std::string there(20'000'000, '\0');
    std::string back(15'000'000, '\0');
    for (char& each : there)
        each = static_cast<char>(random());
    for (char& each : back)
        each = static_cast<char>(random());
    std::string gotThere;
    std::string gotBack;
    chain.left.near->setAllowHalfOpen(true);
    chain.right.far->setAllowHalfOpen(true);
    chain.right.far->readyRead.connect([&] { gotThere += chain.right.far->read(1 + random() % 100'000); });
    chain.left.near->readyRead.connect([&] { gotBack += chain.left.near->readAll(); });
    chain.left.near->write(there);
    chain.left.near->shutdownWrite();
    bool endSeen = false;
    chain.right.far->readChannelFinished.connect([&] {
        endSeen = true;
        gotThere += chain.right.far->readAll();
        chain.right.far->write(back);
        chain.right.far->shutdownWrite();
    });
    REQUIRE(pumpUntil([&] { return chain.isOver(); }));
    CHECK(endSeen);
    CHECK((gotThere == there));
    CHECK((gotBack == back));
    CHECK(chain.finished == 1);
    CHECK(chain.left.near->error() == SocketError::None);
    CHECK(chain.right.far->error() == SocketError::None);
}

TEST_CASE("what comes in masses goes past this process, and little does not") {
    TcpPair left;
    TcpPair right;
    int past = 0;
    int through = 0;
    left.far->readyRead.connect([&] { ++(left.far->atEnd() ? past : through); });
    const Forwarder forwarder(*left.far, *right.near);
    std::string got;
    right.far->readyRead.connect([&] { got += right.far->readAll(); });
    const auto send = [&](const std::string& text) {
        got.clear();
        left.near->write(text);
        REQUIRE(pumpUntil([&] { return got.size() == text.size(); }));
        CHECK((got == text));
    };
    std::string many(10'000'000, '\0');
    for (std::size_t i = 0; i != many.size(); ++i)
        many[i] = static_cast<char>((i * 2654435761U) >> 13U);
    // Each of these is in the kernel as a whole before it is received: how much a reception brings is not chance.
    constexpr std::size_t much = 64 * 1024;
    left.near->setSocketOption(SocketOption::SendBufferSize, 8 * much);
    left.far->setSocketOption(SocketOption::ReceiveBufferSize, 8 * much);
    std::size_t masses = 0;
    for (; past == 0 && masses != 100 * much; masses += much)
        send(many.substr(masses, much));
    CHECK(past > 0);
    send(many);
    masses += many.size();
    for (int i = 0; i != 20; ++i)
        send("little " + std::to_string(i));
    past = through = 0;
    send("little again");
    CHECK(past == 0);
    CHECK(through == 1);
    CHECK(forwarder.bytesForward() == masses + 20 * 8 + 10 + 12);
    CHECK(right.near->bytesToWrite() == 0);
}

TEST_CASE("masses under way when a peer goes, or one of the three is deleted, harm nobody") {
    for (const char who : {'a', 'b', 'l', 'r', 'f'}) {
        CAPTURE(who);
        Chain chain;
        chain.left.near->write(std::string(30'000'000, 'm'));
        std::size_t got = 0;
        chain.right.far->readyRead.connect([&] { got += chain.right.far->readAll().size(); });
        REQUIRE(pumpUntil([&] { return got > 10'000'000; }));
        switch (who) {
        case 'a':
            chain.left.near->abort();
            break;
        case 'b':
            chain.right.far->abort();
            break;
        case 'l':
            chain.left.far.reset();
            break;
        case 'r':
            chain.right.near.reset();
            break;
        default: {
            chain.forwarder.reset();
            const std::size_t before = got;
            REQUIRE(pumpUntil([&] { return chain.left.far->bytesAvailable() > 0; }));
            REQUIRE(pumpUntil([&] { return chain.right.near->bytesToWrite() == 0; }));
            CHECK(got >= before);
            continue;
        }
        }
        REQUIRE(pumpUntil([&] { return chain.isOver(); }));
        CHECK(chain.finished == 1);
    }
}

TEST_CASE("an urgent byte among the masses is left out, and holds up nothing, the end neither") {
    for (const bool endsAfter : {false, true}) {
        CAPTURE(endsAfter);
        TcpPair left;
        TcpPair right;
        int past = 0;
        left.far->readyRead.connect([&] { past += left.far->atEnd() ? 1 : 0; });
        const Forwarder forwarder(*left.far, *right.near);
        std::string got;
        right.far->readyRead.connect([&] { got += right.far->readAll(); });
        constexpr std::size_t much = 64 * 1024;
        left.near->setSocketOption(SocketOption::SendBufferSize, 8 * much);
        left.far->setSocketOption(SocketOption::ReceiveBufferSize, 8 * much);
        for (std::size_t sent = 0; past == 0 && sent != 100 * much;) {
            left.near->write(std::string(much, 'm'));
            sent += much;
            REQUIRE(pumpUntil([&] { return got.size() == sent; }));
        }
        REQUIRE(past > 0);
        got.clear();
        left.near->write("before");
        REQUIRE(::send(left.near->socketDescriptor(), "!", 1, MSG_OOB | MSG_NOSIGNAL) == 1);
        left.near->write("tail");
        if (endsAfter)
            left.near->disconnectFromHost();
        CHECK(pumpUntil([&] { return got == "beforetail"; }));
        if (endsAfter)
            CHECK(pumpUntil([&] { return right.far->state() == SocketState::Unconnected; }));
    }
}

TEST_CASE("a write buffer limit of its sockets is none of a forwarder's: what it refused would be missed") {
    TcpPair left;
    TcpPair right;
    right.near->setWriteBufferLimit(1000);
    const Forwarder forwarder(*left.far, *right.near);
    right.far->pauseReading();
    std::size_t sent = 0;
    const auto send = [&] {
        left.near->write(std::string(5000, 'b'));
        sent += 5000;
        return pumpUntil([&] { return forwarder.bytesForward() == sent; });
    };
    while (right.near->bytesToWrite() == 0)
        REQUIRE(send());
    for (int i = 0; i != 10; ++i)
        CHECK(send());
    left.near->disconnectFromHost();
    std::size_t got = 0;
    right.far->readyRead.connect([&] { got += right.far->readAll().size(); });
    right.far->resumeReading();
    REQUIRE(pumpUntil([&] { return right.far->state() == SocketState::Unconnected; }));
    CHECK(got == sent);
}

TEST_CASE("a side that does not read makes the other wait, in bounded memory, and goes on") {
    Chain chain;
    chain.right.far->pauseReading();
    std::string all(50'000'000, 'b');
    chain.left.near->write(all);
    std::size_t before = 0;
    do {
        before = chain.left.near->bytesToWrite();
        pumpIdle(50);
    } while (chain.left.near->bytesToWrite() != before);
    CHECK(chain.left.near->bytesToWrite() > 10'000'000);
    CHECK(chain.right.near->bytesToWrite() < 512 * 1024);
    CHECK(chain.left.far->bytesAvailable() == 0);
    std::size_t got = 0;
    chain.right.far->readyRead.connect([&] { got += chain.right.far->readAll().size(); });
    chain.right.far->resumeReading();
    REQUIRE(pumpUntil([&] { return got == all.size(); }));
}

TEST_CASE("what came before the second connection stood is passed on when it does") {
    const PlainSocket listener = PlainSocket::listening();
    TcpPair left;
    left.near->write("early");
    REQUIRE(pumpUntil([&] { return left.far->bytesAvailable() == 5; }));
    TcpSocket upstream;
    upstream.connectToHost(HostAddress::LocalHost, listener.port());
    const Forwarder forwarder(*left.far, upstream);
    left.near->disconnectFromHost();
    const PlainSocket peer = listener.accept();
    CHECK(pumpPeer(peer) == "early");
}

TEST_CASE("a connection that breaks, or cannot be made, breaks the other") {
    {
        Chain chain;
        chain.left.near->abort();
        REQUIRE(pumpUntil([&] { return chain.isOver(); }));
        CHECK(chain.right.far->errorString().ends_with(" broke: Connection reset by peer"));
        CHECK(chain.finished == 1);
    }
    PlainSocket listener = PlainSocket::listening();
    const std::uint16_t port = listener.port();
    listener.close();
    TcpPair left;
    TcpSocket upstream;
    upstream.connectToHost(HostAddress::LocalHost, port);
    Forwarder forwarder(*left.far, upstream);
    int finished = 0;
    forwarder.finished.connect([&] { ++finished; });
    REQUIRE(pumpUntil([&] { return left.near->state() == SocketState::Unconnected; }));
    CHECK(left.near->errorString().ends_with(" broke: Connection reset by peer"));
    CHECK(finished == 1);
}

TEST_CASE("any of the three may be deleted, in their slots too") {
    for (const char who : {'l', 'r', 'f'}) {
        for (const bool inSlot : {false, true}) {
            CAPTURE(who);
            CAPTURE(inSlot);
            Chain chain;
            const auto remove = [&] {
                if (who == 'l')
                    chain.left.far.reset();
                else if (who == 'r')
                    chain.right.near.reset();
                else
                    chain.forwarder.reset();
            };
            if (inSlot)
                chain.left.far->readyRead.connect(remove);
            chain.left.near->write("some bytes");
            if (!inSlot) {
                REQUIRE(pumpUntil([&] { return chain.right.far->bytesAvailable() != 0; }));
                remove();
            }
            if (who == 'f') {
                REQUIRE(pumpUntil([&] { return chain.forwarder == nullptr; }));
                pumpIdle();
                CHECK(chain.left.far->state() == SocketState::Connected);
                CHECK(chain.right.near->state() == SocketState::Connected);
                continue;
            }
            REQUIRE(pumpUntil([&] { return chain.isOver(); }));
            CHECK(chain.finished == 1);
        }
    }
}

TEST_CASE("the forwarder may be deleted in its last signal") {
    Chain chain;
    chain.forwarder->finished.connect([&] { chain.forwarder.reset(); });
    chain.left.near->disconnectFromHost();
    CHECK(pumpUntil([&] { return chain.forwarder == nullptr && chain.isOver(); }));
}

TEST_CASE("ten connections through a proxy of one's own, which leaves nothing behind") {
    TcpServer target;
    target.newConnection.connect([&] {
        while (TcpSocket* const client = target.nextPendingConnection())
            client->readyRead.connect(client, [client] { client->write(client->readAll()); });
    });
    REQUIRE(target.listen(HostAddress::LocalHost));
    TcpServer proxy;
    proxy.newConnection.connect([&] {
        while (TcpSocket* const client = proxy.nextPendingConnection()) {
            auto* const upstream = new TcpSocket(client);
            upstream->connectToHost(HostAddress::LocalHost, target.serverPort());
            auto* const forwarder = new Forwarder(*client, *upstream, client);
            forwarder->finished.connect(client, &Object::deleteLater);
        }
    });
    REQUIRE(proxy.listen(HostAddress::LocalHost));
    std::vector<std::unique_ptr<TcpSocket>> clients;
    for (int i = 0; i != 10; ++i) {
        clients.push_back(std::make_unique<TcpSocket>());
        clients.back()->connectToHost(HostAddress::LocalHost, proxy.serverPort());
        clients.back()->write(std::string(100'000, static_cast<char>('a' + i)));
    }
    REQUIRE(pumpUntil([&] {
        for (const auto& each : clients)
            if (each->bytesAvailable() != 100'000)
                return false;
        return true;
    }));
    CHECK(clients[3]->readAll() == std::string(100'000, 'd'));
    for (const auto& each : clients)
        each->disconnectFromHost();
    CHECK(pumpUntil([&] { return proxy.children().empty(); }));
}
