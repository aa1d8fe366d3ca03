// What a user of libevent writes, after its book: a connection listener, and a bufferevent for each connection, whose
// input is moved to its output without a copy.

#include "plain_socket.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>

#include <csignal>
#include <memory>

namespace {

void echo(bufferevent* client, void* /*context*/) {
    evbuffer_add_buffer(bufferevent_get_output(client), bufferevent_get_input(client));
}

void onEvent(bufferevent* client, short events, void* /*context*/) {
    if ((events & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) != 0)
        bufferevent_free(client);
}

void onConnection(evconnlistener* listener, evutil_socket_t descriptor, sockaddr* /*peer*/, int /*length*/,
                  void* /*context*/) {
    event_base* const base = evconnlistener_get_base(listener);
    bufferevent* const client = bufferevent_socket_new(base, descriptor, BEV_OPT_CLOSE_ON_FREE);
    bufferevent_setcb(client, echo, nullptr, onEvent, nullptr);
    bufferevent_enable(client, EV_READ | EV_WRITE);
}

template <class T, void (*end)(T*)>
struct Ends {
    void operator()(T* thing) const { end(thing); }
};
template <class T, void (*end)(T*)>
using Owned = std::unique_ptr<T, Ends<T, end>>;

void serve() {
    const Owned<event_base, event_base_free> base(event_base_new());
    const Owned<event, event_free> terminate(evsignal_new(
        base.get(), SIGTERM,
        [](evutil_socket_t, short, void* loop) { event_base_loopbreak(static_cast<event_base*>(loop)); }, base.get()));
    evsignal_add(terminate.get(), nullptr);

    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const Owned<evconnlistener, evconnlistener_free> listener(
        evconnlistener_new_bind(base.get(), onConnection, nullptr, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC,
                                SOMAXCONN, reinterpret_cast<sockaddr*>(&name), sizeof name));
    if (listener == nullptr)
        bench::fail("evconnlistener_new_bind");
    bench::announceListener(evconnlistener_get_fd(listener.get()));
    event_base_dispatch(base.get());
}

} // namespace

int main() {
    std::signal(SIGPIPE, SIG_IGN); // libevent writes without MSG_NOSIGNAL
    return bench::run(serve);
}
