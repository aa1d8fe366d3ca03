// use of deleted function 'halyard::EventLoop:: | constructor of 'halyard::EventLoop'
// use of deleted function 'halyard::FdNotifier:: | constructor of 'halyard::FdNotifier'
// use of deleted function 'halyard::Object:: | constructor of 'halyard::Object'
// use of deleted function 'constexpr halyard::ScopedConnection:: | constructor of 'halyard::ScopedConnection'
// use of deleted function 'halyard::Signal<int>:: | constructor of 'halyard::Signal<int>'
// use of deleted function 'halyard::SignalBlocker:: | constructor of 'halyard::SignalBlocker'
// use of deleted function 'halyard::TcpServer:: | constructor of 'halyard::TcpServer'
// use of deleted function 'halyard::TcpSocket:: | constructor of 'halyard::TcpSocket'
// use of deleted function 'halyard::Timer:: | constructor of 'halyard::Timer'
// use of deleted function 'halyard::UnixSignal:: | constructor of 'halyard::UnixSignal'

#include <halyard/core/event_loop.h>
#include <halyard/core/fd_notifier.h>
#include <halyard/core/timer.h>
#include <halyard/core/unix_signal.h>
#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>

#ifdef REPAIRED
template <class T>
T& copy(T& original) {
    return original;
}
#else
template <class T>
T copy(T& original) {
    return original;
}
#endif

void use(halyard::EventLoop& loop) { copy(loop); }
void use(halyard::FdNotifier& notifier) { copy(notifier); }
void use(halyard::Object& object) { copy(object); }
void use(halyard::ScopedConnection& connection) { copy(connection); }
void use(halyard::Signal<int>& changed) { copy(changed); }
void use(halyard::SignalBlocker& blocker) { copy(blocker); }
void use(halyard::TcpServer& server) { copy(server); }
void use(halyard::TcpSocket& socket) { copy(socket); }
void use(halyard::Timer& timer) { copy(timer); }
void use(halyard::UnixSignal& terminate) { copy(terminate); }
