// What a user of libuv writes whose sockets are uv_tcp_t: as its guide teaches, with a buffer from the heap for each
// read and a uv_write() for each answer; or with one buffer for all and uv_try_write() first, the quickest way that
// libuv has.

#include "plain_socket.h"

#include <uv.h>

#include <array>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string_view>

namespace {

struct WriteRequest {
    uv_write_t request;
    uv_buf_t buffer;
};

void endClient(uv_handle_t* client) {
    uv_close(client, [](uv_handle_t* handle) { std::free(handle); });
}

template <class Handle>
uv_handle_t* asHandle(Handle* handle) {
    return reinterpret_cast<uv_handle_t*>(handle);
}

/// Sends a buffer from the heap, and gives it back afterwards.
void write(uv_stream_t* client, char* bytes, std::size_t size) {
    auto* const write = static_cast<WriteRequest*>(std::malloc(sizeof(WriteRequest)));
    write->buffer = uv_buf_init(bytes, static_cast<unsigned>(size));
    uv_write(&write->request, client, &write->buffer, 1, [](uv_write_t* request, int /*status*/) {
        auto* const written = reinterpret_cast<WriteRequest*>(request);
        std::free(written->buffer.base);
        std::free(written);
    });
}

// As the guide teaches.

void allocate(uv_handle_t* /*client*/, std::size_t suggested, uv_buf_t* buffer) {
    buffer->base = static_cast<char*>(std::malloc(suggested));
    buffer->len = suggested;
}

void echo(uv_stream_t* client, ssize_t received, const uv_buf_t* buffer) {
    if (received > 0) {
        write(client, buffer->base, static_cast<std::size_t>(received));
        return;
    }
    if (received < 0)
        endClient(asHandle(client));
    std::free(buffer->base);
}

// With uv_try_write().

void lendBuffer(uv_handle_t* /*client*/, std::size_t /*suggested*/, uv_buf_t* buffer) {
    static std::array<char, 64 * 1024> shared;
    *buffer = uv_buf_init(shared.data(), static_cast<unsigned>(shared.size()));
}

void echoAtOnce(uv_stream_t* client, ssize_t received, const uv_buf_t* buffer) {
    if (received < 0)
        endClient(asHandle(client));
    if (received <= 0)
        return;
    const uv_buf_t answer = uv_buf_init(buffer->base, static_cast<unsigned>(received));
    const int sent = uv_try_write(client, &answer, 1);
    if (sent == received)
        return;
    const auto taken = static_cast<std::size_t>(sent > 0 ? sent : 0);
    const std::size_t rest = static_cast<std::size_t>(received) - taken;
    write(client, static_cast<char*>(std::memcpy(std::malloc(rest), buffer->base + taken, rest)), rest);
}

template <uv_alloc_cb giveBuffer, uv_read_cb onRead>
void onConnection(uv_stream_t* server, int status) {
    if (status < 0)
        return;
    auto* const client = static_cast<uv_tcp_t*>(std::malloc(sizeof(uv_tcp_t)));
    uv_tcp_init(server->loop, client);
    if (uv_accept(server, reinterpret_cast<uv_stream_t*>(client)) == 0)
        uv_read_start(reinterpret_cast<uv_stream_t*>(client), giveBuffer, onRead);
    else
        endClient(asHandle(client));
}

void serve(bool tryFirst) {
    uv_loop_t* const loop = uv_default_loop();

    uv_signal_t terminate;
    uv_signal_init(loop, &terminate);
    uv_signal_start(
        &terminate, [](uv_signal_t* signal, int) { uv_stop(signal->loop); }, SIGTERM);

    uv_tcp_t server;
    uv_tcp_init(loop, &server);
    sockaddr_in name;
    uv_ip4_addr("127.0.0.1", 0, &name);
    uv_tcp_bind(&server, reinterpret_cast<const sockaddr*>(&name), 0);
    if (const int failed = uv_listen(reinterpret_cast<uv_stream_t*>(&server), SOMAXCONN,
                                     tryFirst ? onConnection<lendBuffer, echoAtOnce> : onConnection<allocate, echo>))
        throw std::runtime_error(uv_strerror(failed));

    int length = sizeof name;
    uv_tcp_getsockname(&server, reinterpret_cast<sockaddr*>(&name), &length);
    bench::announce(ntohs(name.sin_port));
    uv_run(loop, UV_RUN_DEFAULT);
}

} // namespace

/// [--try-write]
int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN); // libuv writes without MSG_NOSIGNAL
    return bench::run([&] { serve(argc > 1 && std::string_view(argv[1]) == "--try-write"); });
}
