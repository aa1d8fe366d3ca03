#include "metrics_server.h"

#include <halyard/core/timer.h>
#include <halyard/net/connection_limits.h>

#include <chrono>
#include <memory>
#include <string>

namespace echo {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t longestRequest = 8192;
constexpr std::size_t mostClients = 32; // the program keeps 64 descriptors for itself: see --max-clients
constexpr auto patience = 5s;           // with one request and its answer, from their beginning to their end

std::string response(std::string_view status, std::string_view body,
                     std::string_view type = "text/plain; charset=utf-8") {
    std::string text = "HTTP/1.0 ";
    text.append(status).append("\r\nContent-Type: ").append(type);
    text.append("\r\nContent-Length: ").append(std::to_string(body.size()));
    return text.append("\r\nConnection: close\r\n\r\n").append(body);
}

} // namespace

MetricsServer::MetricsServer(const Metrics& metrics) : metrics_(metrics) {
    server_.setLimits(std::make_shared<halyard::ConnectionLimits>(mostClients));
    server_.newConnection.connect(this, &MetricsServer::take);
}

void MetricsServer::take() {
    while (halyard::TcpSocket* const client = server_.nextPendingConnection()) {
        // In all: a timeout for reading or writing gives whoever moves a byte now and then as long as it likes.
        halyard::Timer::singleShot(patience, client, [client] { client->abort(); });
        client->setClosingTimeout(patience);
        client->setReadBufferSize(longestRequest);
        client->readyRead.connect(this, [this, client] { read(*client); });
        client->disconnected.connect(client, &Object::deleteLater);
    }
}

void MetricsServer::read(halyard::TcpSocket& client) {
    const auto end = client.indexOf("\r\n\r\n");
    if (!end && client.bytesAvailable() < longestRequest)
        return;
    client.write(end ? answer(client.read(*end)) : response("431 Request Header Fields Too Large", {}));
    client.close();
}

std::string MetricsServer::answer(std::string_view request) const {
    const std::string_view line = request.substr(0, request.find("\r\n"));
    const std::size_t space = line.find(' ');
    const std::string_view method = line.substr(0, space);
    if (space == std::string_view::npos || line.find(' ', space + 1) == std::string_view::npos)
        return response("400 Bad Request", "what is this?\n");
    const std::string_view path = line.substr(space + 1, line.find(' ', space + 1) - space - 1);
    if (method != "GET")
        return response("405 Method Not Allowed", "only GET is known here\n");
    if (path == "/metrics")
        return response("200 OK", metrics_.text(), "text/plain; version=0.0.4; charset=utf-8");
    if (path == "/ready")
        return isReady_ ? response("200 OK", "ready\n") : response("503 Service Unavailable", "draining\n");
    return response("404 Not Found", "there are /metrics and /ready\n");
}

} // namespace echo
