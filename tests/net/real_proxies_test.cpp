// Halyard and the proxies of others.
#include "both_ways.h"
#include "real_proxy.h"

#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>

#include <logged.h>
#include <scratch_directory.h>

#include <memory>
#include <thread>

#include <pwd.h>

using namespace halyard;
using namespace halyard::test;

namespace {

/// Echoes what one client after the other sends, on every loopback address.
class EchoServer {
  public:
    EchoServer()
        : listener_(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)), thread_([this] {
              for (;;) {
                  const PlainSocket client = listener_.accept();
                  if (client.descriptor() < 0)
                      return;
                  char some[65536];
                  ssize_t got = 0;
                  while ((got = ::recv(client.descriptor(), some, sizeof some, 0)) > 0 &&
                         ::send(client.descriptor(), some, static_cast<std::size_t>(got), MSG_NOSIGNAL) == got) {
                  }
              }
          }) {}
    EchoServer(const EchoServer&) = delete;
    EchoServer& operator=(const EchoServer&) = delete;
    ~EchoServer() {
        ::shutdown(listener_.descriptor(), SHUT_RDWR);
        thread_.join();
    }

    std::uint16_t port() const { return listener_.port(); }

  private:
    /// Listens, before the thread begins.
    struct Listener : PlainSocket {
        explicit Listener(int descriptor) : PlainSocket(descriptor) {
            const int no = 0;
            ::setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no);
            sockaddr_in6 name{};
            name.sin6_family = AF_INET6;
            if (::bind(descriptor, reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0 &&
                ::listen(descriptor, 16) == 0)
                return;
            static_cast<PlainSocket&>(*this) = PlainSocket::listening(); // without IPv6
        }
        std::uint16_t port() const {
            sockaddr_in6 name{}; // as long as the other one, and the port at the same place
            socklen_t size = sizeof name;
            ::getsockname(descriptor(), reinterpret_cast<sockaddr*>(&name), &size);
            return ntohs(name.sin6_port);
        }
    };

    Listener listener_;
    std::thread thread_;
};

/// By address and by name, with the loop and without.
void expectEcho(const NetworkProxy& proxy) {
    const EchoServer server;
    const std::string text(100'000, 'x');
    for (const Way way : bothWays) {
        for (const std::string host : {"127.0.0.1", "localhost"}) {
            TcpSocket socket;
            socket.setProxy(proxy);
            socket.connectToHost(host, server.port());
            CHECK_MESSAGE(connects(socket, way), socket.errorString());
            CHECK(socket.peerAddress() == (host == "localhost" ? HostAddress() : HostAddress::LocalHost));
            socket.write(text);
            CHECK(receives(socket, text, way));
            socket.disconnectFromHost();
            CHECK(socket.state() == SocketState::Unconnected);
        }
    }
}

SocketError errorOf(const NetworkProxy& proxy, std::uint16_t port) {
    SocketError errors[2];
    for (const Way way : bothWays) {
        TcpSocket socket;
        socket.setProxy(proxy);
        socket.connectToHost("127.0.0.1", port);
        CHECK_FALSE(connects(socket, way));
        CHECK(socket.errorString().find(proxy.toString()) != std::string::npos);
        CHECK(socket.errorString().find("secret") == std::string::npos);
        errors[way == Way::Loop ? 0 : 1] = socket.error();
    }
    CHECK(errors[0] == errors[1]);
    return errors[0];
}

std::uint16_t nobody() { return PlainSocket::listening().port(); }

/// It listens and connects at 127.0.0.1. `method` is how clients show who they are, `rules` come before that they may
/// all.
RealProxy::Arrange dante(const std::string& method, const std::string& rules = {}) {
    return [=](RealProxy& proxy) {
        const passwd* const self = ::getpwuid(::getuid());
        const std::string user = self != nullptr ? self->pw_name : "root";
        const std::string text = "logoutput: " + proxy.path("log") +
                                 "\ninternal: 127.0.0.1 port = " + std::to_string(proxy.port()) +
                                 "\nexternal: 127.0.0.1\nuser.privileged: " + user + "\nuser.unprivileged: " + user +
                                 "\nclientmethod: none\nsocksmethod: " + method +
                                 "\nclient pass { from: 127.0.0.0/8 to: 0.0.0.0/0 }\n" + rules +
                                 "socks pass { from: 127.0.0.0/8 to: 0.0.0.0/0 command: connect bind }\n"
                                 "socks pass { from: 0.0.0.0/0 to: 127.0.0.0/8 command: bindreply }\n";
        return std::vector<std::string>{"danted", "-N", "1", "-f", proxy.write("danted.conf", text)};
    };
}

} // namespace

TEST_CASE("microsocks") {
    if (!RealProxy::isInstalled("microsocks"))
        return;
    const RealProxy open([](RealProxy& proxy) {
        return std::vector<std::string>{"microsocks", "-i", "127.0.0.1", "-p", std::to_string(proxy.port())};
    });
    expectEcho(open.as(NetworkProxy::Socks5));
    expectEcho(open.as(NetworkProxy::Socks5, "user", "secret")); // which it does not ask for
    CHECK(errorOf(open.as(NetworkProxy::Socks5), nobody()) == SocketError::ConnectionRefused);
    const RealProxy closed([](RealProxy& proxy) {
        return std::vector<std::string>{"microsocks", "-i",    "127.0.0.1", "-p",    std::to_string(proxy.port()),
                                        "-u",         "us:er", "-P",        "secret"};
    });
    expectEcho(closed.as(NetworkProxy::Socks5, "us:er", "secret"));
    CHECK(errorOf(closed.as(NetworkProxy::Socks5), 80) == SocketError::ProxyAuthenticationRequired);
    CHECK(errorOf(closed.as(NetworkProxy::Socks5, "us:er", "secret!"), 80) == SocketError::ProxyAuthenticationRequired);
    TcpServer server;
    server.setProxy(open.as(NetworkProxy::Socks5));
    CHECK_FALSE(server.listen()); // it knows no BIND
    CHECK(server.serverError() == SocketError::UnsupportedSocketOperation);
    CHECK(errorOf(open.as(NetworkProxy::Http), 80) == SocketError::ProxyProtocol);
}

TEST_CASE("dante: connecting") {
    if (!RealProxy::isInstalled("danted"))
        return;
    const EchoServer forbidden;
    const RealProxy proxy(dante(
        "none", "socks block { from: 0.0.0.0/0 to: 0.0.0.0/0 port = " + std::to_string(forbidden.port()) + " }\n"));
    expectEcho(proxy.as(NetworkProxy::Socks5));
    CHECK(errorOf(proxy.as(NetworkProxy::Socks5), nobody()) == SocketError::ConnectionRefused);
    CHECK(errorOf(proxy.as(NetworkProxy::Socks5), forbidden.port()) == SocketError::SocketAccess);
}

TEST_CASE("dante: a user name and a password") {
    const std::string wrapper = "libnss_wrapper.so";
    if (!RealProxy::isInstalled("danted"))
        return;
    // The users of the system, for dante alone: one, with the password "secret".
    const ScratchDirectory users;
    const std::string id = std::to_string(::getuid()) + ':' + std::to_string(::getgid());
    std::ofstream(users.file("passwd")) << "root:x:0:0::/:/bin/false\nhalyard:x:" << id << "::/:/bin/false\n";
    std::ofstream(users.file("group")) << "root:x:0:\n";
    std::ofstream(users.file("shadow"))
        << "halyard:$6$halyard$Bp/re2mI7xuAGif8F55xyI7TqZcK5ByfpSItQfnb/gnXgFLswaiCeaxmNUMVo/"
           "SzkSdjFak2R6h97Hl0w40Kv/:::::::\n";
    const RealProxy proxy(dante("username"),
                          {"LD_PRELOAD=" + wrapper, "NSS_WRAPPER_PASSWD=" + users.file("passwd"),
                           "NSS_WRAPPER_GROUP=" + users.file("group"), "NSS_WRAPPER_SHADOW=" + users.file("shadow")});
    expectEcho(proxy.as(NetworkProxy::Socks5, "halyard", "secret"));
    CHECK(errorOf(proxy.as(NetworkProxy::Socks5), 80) == SocketError::ProxyAuthenticationRequired);
    CHECK(errorOf(proxy.as(NetworkProxy::Socks5, "halyard", "secret!"), 80) ==
          SocketError::ProxyAuthenticationRequired);
}

TEST_CASE("dante: listening") {
    if (!RealProxy::isInstalled("danted"))
        return;
    const RealProxy proxy(dante("none"));
    for (const Way way : bothWays) {
        for (const bool again : {false, true}) {
            TcpServer server;
            server.setProxy(proxy.as(NetworkProxy::Socks5));
            server.setRebind(again);
            REQUIRE_MESSAGE(server.listen(), server.errorString());
            for (int i = 0; i != (again ? 3 : 1); ++i) {
                // The wait goes on with what the loop has begun.
                REQUIRE(pumpUntil([&] { return server.serverPort() != 0; }));
                CHECK(server.serverAddress() == HostAddress::LocalHost);
                CHECK_FALSE(server.waitForNewConnection(0));
                PlainSocket client = PlainSocket::connectedTo(server.serverPort());
                client.send("hello");
                sockaddr_in name{};
                socklen_t size = sizeof name;
                ::getsockname(client.descriptor(), reinterpret_cast<sockaddr*>(&name), &size);
                if (way == Way::Wait)
                    REQUIRE(server.waitForNewConnection(msecOfPatience()));
                else
                    REQUIRE(pumpUntil([&] { return server.hasPendingConnections(); }));
                CHECK(server.isListening() == again);
                const std::unique_ptr<TcpSocket> socket(server.nextPendingConnection());
                CHECK(socket->peerAddress() == HostAddress::LocalHost);
                CHECK(socket->peerPort() == ntohs(name.sin_port));
                CHECK(pumpUntil([&] { return socket->bytesAvailable() >= 5; }));
                CHECK(socket->readAll() == "hello"); // and no byte of the proxy's
                socket->write("world");
                socket->disconnectFromHost();
                CHECK(client.receive() == "world");
            }
        }
    }
}

TEST_CASE("tinyproxy") {
    if (!RealProxy::isInstalled("tinyproxy"))
        return;
    const RealProxy proxy([](RealProxy& self) {
        return std::vector<std::string>{
            "tinyproxy", "-d", "-c",
            self.write("tinyproxy.conf",
                       "Port " + std::to_string(self.port()) +
                           "\nListen 127.0.0.1\nTimeout 60\nMaxClients 20\nLogLevel Critical\nLogFile \"" +
                           self.path("log") + "\"\nBasicAuth user secret\n")};
    });
    expectEcho(proxy.as(NetworkProxy::Http, "user", "secret"));
    CHECK(errorOf(proxy.as(NetworkProxy::Http), 80) == SocketError::ProxyAuthenticationRequired);
    CHECK(errorOf(proxy.as(NetworkProxy::Http, "user", "secret!"), 80) == SocketError::ProxyAuthenticationRequired);
    CHECK(errorOf(proxy.as(NetworkProxy::Http, "user", "secret"), nobody()) == SocketError::ProxyProtocol);
}

TEST_CASE("squid") {
    const std::string judge = "/usr/lib/squid/basic_ncsa_auth";
    if (!RealProxy::isInstalled("squid"))
        return;
    const RealProxy proxy([&](RealProxy& self) {
        const std::string users = self.write("users", "user:$apr1$halyard0$Hn0lR974FsqdkNbLeBCOr.\n");
        const std::string text =
            "http_port " + self.at() + "\npid_filename none\naccess_log none\ncache_log " + self.path("log") +
            "\ncache_mem 8 MB\ncache deny all\nmax_filedescriptors 256\nshutdown_lifetime 0 seconds\n"
            "pinger_enable off\nvisible_hostname localhost\ncoredump_dir " +
            self.path("") + "\nauth_param basic program " + judge + ' ' + users +
            "\nauth_param basic children 1\nauth_param basic realm halyard\n"
            "acl known proxy_auth REQUIRED\nhttp_access allow known\nhttp_access deny all\n";
        return std::vector<std::string>{"squid", "-N", "-f", self.write("squid.conf", text)};
    });
    expectEcho(proxy.as(NetworkProxy::Http, "user", "secret"));
    CHECK(errorOf(proxy.as(NetworkProxy::Http), 80) == SocketError::ProxyAuthenticationRequired);
    CHECK(errorOf(proxy.as(NetworkProxy::Http, "user", "secret!"), 80) == SocketError::ProxyAuthenticationRequired);
    CHECK(errorOf(proxy.as(NetworkProxy::Http, "user", "secret"), nobody()) == SocketError::ConnectionRefused);
}
