#pragma once

#include "fault_scenario.h"

#include <halyard/core/task.h>
#include <halyard/net/awaitables.h>
#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>

#include <cstdint>
#include <new>
#include <string>
#include <system_error>

namespace halyard::test {

/// What the tasks of a conversation share.
struct TaskConversation {
    const std::string& message;
    Outcome outcome;
    int over = 0; ///< tasks that have ended

    void note(std::error_code error) { outcome.note(static_cast<SocketError>(error.value())); }
};

inline Task<> echo(TcpSocket& client, TaskConversation& its) {
    try {
        for (;;) {
            const auto bytes = co_await readSome(client);
            if (!bytes) {
                if (bytes.error() != SocketError::RemoteHostClosed)
                    its.note(bytes.error());
                break;
            }
            its.outcome.received += *bytes;
            client.write(*bytes);
            if (const auto sent = co_await writeDrained(client); !sent) {
                its.note(sent.error());
                break;
            }
        }
    } catch (const std::bad_alloc&) {
        its.outcome.note(SocketError::SocketResource);
        client.abort();
    }
    ++its.over;
}

inline Task<> serve(TcpServer& server, TaskConversation& its) {
    TcpSocket* taken = nullptr;
    try {
        while (const auto client = co_await nextConnection(server)) {
            taken = *client;
            start(taken, echo(*taken, its));
        }
    } catch (const std::bad_alloc&) {
        its.outcome.note(SocketError::SocketResource);
        if (taken != nullptr)
            taken->abort();
    }
    ++its.over;
    server.close();
}

inline Task<> ask(TcpSocket& socket, std::uint16_t port, TaskConversation& its) {
    try {
        if (const auto connected = co_await connectToHost(socket, HostAddress::LocalHost, port); !connected) {
            its.note(connected.error());
            its.over = 2;
            co_return;
        }
        socket.write(its.message);
        while (its.outcome.echoed.size() < its.message.size()) {
            const auto bytes = co_await readSome(socket);
            if (!bytes) {
                its.note(bytes.error());
                break;
            }
            its.outcome.echoed += *bytes;
        }
        socket.disconnectFromHost();
    } catch (const std::bad_alloc&) {
        its.outcome.note(SocketError::SocketResource);
        socket.abort();
        its.over = 2;
    }
    ++its.over;
}

/// A server and a client that are tasks: the client sends the message, and ends when it is back.
inline Outcome converseByTasks(const std::string& message) {
    TaskConversation conversation{message, {}, 0};
    TcpServer server;
    TcpSocket socket;
    server.acceptError.connect([&](SocketError error) {
        conversation.outcome.note(error);
        server.resumeAccepting();
    });
    if (!server.listen(HostAddress::LocalHost)) {
        conversation.outcome.note(server.serverError());
        conversation.outcome.ended = true;
        return conversation.outcome;
    }
    start(&server, serve(server, conversation));
    start(&socket, ask(socket, server.serverPort(), conversation));
    conversation.outcome.ended =
        pumpUntil([&] { return conversation.over >= 2 && socket.state() == SocketState::Unconnected; });
    return conversation.outcome;
}

} // namespace halyard::test
