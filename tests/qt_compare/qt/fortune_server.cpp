// Tells each client a fortune and says good bye.
#include <QCoreApplication>
#include <QTcpServer>
#include <QTcpSocket>

#include <array>
#include <cstdio>
#include <cstdlib>

class FortuneServer : public QObject {
  public:
    FortuneServer() { connect(&server_, &QTcpServer::newConnection, this, &FortuneServer::answer); }

    bool listen(quint16 port) {
        const bool listens = server_.listen(QHostAddress::LocalHost, port);
        if (listens)
            std::printf("listening on port %d\n", server_.serverPort());
        else
            std::fprintf(stderr, "%s\n", qPrintable(server_.errorString()));
        std::fflush(stdout);
        return listens;
    }

  private:
    void answer() {
        while (QTcpSocket* client = server_.nextPendingConnection()) {
            connect(client, &QTcpSocket::disconnected, client, &QObject::deleteLater);
            client->write(fortunes_.at(next_++ % fortunes_.size()));
            client->disconnectFromHost();
        }
    }

    QTcpServer server_;
    const std::array<QByteArray, 3> fortunes_{"You will leave a trail of happy clients.\n",
                                              "A port in use is a port worth having.\n",
                                              "Today you will wait for nothing in vain.\n"};
    std::size_t next_ = 0;
};

int main(int argc, char** argv) {
    QCoreApplication application(argc, argv);
    FortuneServer server;
    const auto port = static_cast<quint16>(argc > 1 ? std::strtol(argv[1], nullptr, 10) : 0);
    return server.listen(port) ? application.exec() : 1;
}
