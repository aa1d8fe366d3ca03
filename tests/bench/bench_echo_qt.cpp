// What a user of Qt writes: QTcpServer and QTcpSocket, and a slot that writes what it reads.

#include "plain_socket.h"

#include <QCoreApplication>
#include <QHostAddress>
#include <QSocketNotifier>
#include <QTcpServer>
#include <QTcpSocket>
#include <sys/signalfd.h>
#include <sys/socket.h>

#include <csignal>
#include <stdexcept>

namespace {

void serve(QTcpSocket* client) {
    QObject::connect(client, &QTcpSocket::readyRead, client, [client] { client->write(client->readAll()); });
    QObject::connect(client, &QTcpSocket::disconnected, client, &QObject::deleteLater);
}

void run(QCoreApplication& application) {
    sigset_t watched;
    sigemptyset(&watched);
    sigaddset(&watched, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &watched, nullptr);
    const bench::Descriptor terminate(bench::checked(::signalfd(-1, &watched, SFD_CLOEXEC), "signalfd"));
    const QSocketNotifier notifier(terminate.get(), QSocketNotifier::Read);
    QObject::connect(&notifier, &QSocketNotifier::activated, &application, &QCoreApplication::quit);

    QTcpServer server;
    QObject::connect(&server, &QTcpServer::newConnection, &server, [&server] {
        while (QTcpSocket* const client = server.nextPendingConnection())
            serve(client);
    });
    server.setListenBacklogSize(SOMAXCONN);
    if (!server.listen(QHostAddress::LocalHost))
        throw std::runtime_error(qPrintable(server.errorString()));
    bench::announce(server.serverPort());
    QCoreApplication::exec();
}

} // namespace

int main(int argc, char** argv) {
    return bench::run([&] {
        QCoreApplication application(argc, argv);
        run(application);
    });
}
