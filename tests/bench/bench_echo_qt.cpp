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
#include <cstdio>
#include <exception>

namespace {

void serve(QTcpSocket* client) {
    QObject::connect(client, &QTcpSocket::readyRead, client, [client] { client->write(client->readAll()); });
    QObject::connect(client, &QTcpSocket::disconnected, client, &QObject::deleteLater);
}

int run(QCoreApplication& application) {
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
    if (!server.listen(QHostAddress::LocalHost)) {
        std::fprintf(stderr, "%s\n", qPrintable(server.errorString()));
        return 1;
    }
    bench::announce(server.serverPort());
    return QCoreApplication::exec();
}

} // namespace

int main(int argc, char** argv) {
    try {
        bench::raiseDescriptorLimit();
        QCoreApplication application(argc, argv);
        return run(application);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}
