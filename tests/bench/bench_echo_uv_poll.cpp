// What a user of libuv writes who owns the descriptors and has uv_poll_t watch them: one recv and one send
// for each readiness, and no more than that around it.

#include "plain_socket.h"

#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <string>

namespace {

std::array<char, 64 * 1024> buffer;

struct Client {
    uv_poll_t poll;
    int descriptor;
    std::string rest; // what the kernel did not take; meanwhile nothing is read
};

Client& clientOf(uv_poll_t* poll) { return *static_cast<Client*>(poll->data); }

void end(Client& client) {
    uv_close(reinterpret_cast<uv_handle_t*>(&client.poll), [](uv_handle_t* handle) {
        auto* const ended = static_cast<Client*>(handle->data);
        ::close(ended->descriptor);
        delete ended;
    });
}

void onReadable(uv_poll_t* poll, int status, int events);

void onWritable(uv_poll_t* poll, int status, int /*events*/) {
    Client& client = clientOf(poll);
    const ssize_t sent =
        status < 0 ? -1 : ::send(client.descriptor, client.rest.data(), client.rest.size(), MSG_NOSIGNAL);
    if (sent < 0) {
        if (status < 0 || errno != EAGAIN)
            end(client);
        return;
    }
    client.rest.erase(0, static_cast<std::size_t>(sent));
    if (client.rest.empty())
        uv_poll_start(poll, UV_READABLE, onReadable);
}

void onReadable(uv_poll_t* poll, int status, int /*events*/) {
    Client& client = clientOf(poll);
    const ssize_t received = status < 0 ? 0 : ::recv(client.descriptor, buffer.data(), buffer.size(), 0);
    if (received <= 0) {
        if (received == 0 || errno != EAGAIN)
            end(client);
        return;
    }
    const auto size = static_cast<std::size_t>(received);
    const ssize_t sent = ::send(client.descriptor, buffer.data(), size, MSG_NOSIGNAL);
    if (sent == received)
        return;
    if (sent < 0 && errno != EAGAIN) {
        end(client);
        return;
    }
    const auto taken = static_cast<std::size_t>(sent < 0 ? 0 : sent);
    client.rest.assign(buffer.data() + taken, size - taken);
    uv_poll_start(poll, UV_WRITABLE, onWritable);
}

void onConnection(uv_poll_t* poll, int /*status*/, int /*events*/) {
    const int listener = static_cast<bench::Descriptor*>(poll->data)->get();
    for (;;) {
        const int descriptor = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (descriptor < 0)
            return;
        auto* const client = new Client;
        client->descriptor = descriptor;
        client->poll.data = client;
        if (uv_poll_init(poll->loop, &client->poll, descriptor) != 0) {
            ::close(descriptor);
            delete client;
            continue;
        }
        uv_poll_start(&client->poll, UV_READABLE, onReadable);
    }
}

void serve() {
    bench::Descriptor listener = bench::listenAnywhere();
    uv_loop_t* const loop = uv_default_loop();

    uv_signal_t terminate;
    uv_signal_init(loop, &terminate);
    uv_signal_start(
        &terminate, [](uv_signal_t* signal, int) { uv_stop(signal->loop); }, SIGTERM);

    uv_poll_t poll;
    poll.data = &listener;
    uv_poll_init(loop, &poll, listener.get());
    uv_poll_start(&poll, UV_READABLE, onConnection);

    bench::announceListener(listener.get());
    uv_run(loop, UV_RUN_DEFAULT);
}

} // namespace

int main() { return bench::run(serve); }
