#pragma once

#include "dialect.h"

#include <plain_socket.h>

#include <chrono>
#include <concepts>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/resource.h>

namespace compare {

using namespace std::chrono_literals;
using halyard::test::PlainSocket; // the other end, of the system's own making

/// Something that a program does, written once and compiled for both libraries; what it sees of them it writes down. It
/// runs in a process of its own: where a library does not survive it, the trace says so.
class Scenario {
  public:
    Scenario(const char* name, std::function<void()> body);

    static const std::vector<const Scenario*>& all();

    const std::string& name() const noexcept { return name_; }
    void run() const { body_(); }

  private:
    std::string name_;
    std::function<void()> body_;
};

inline std::string text(bool value) { return value ? "true" : "false"; }
inline std::string text(std::string_view value) { return std::string(value); }
inline std::string text(const char* value) { return value; }
inline std::string text(const std::optional<int>& value) { return value ? std::to_string(*value) : "nothing"; }
template <std::integral Number>
std::string text(Number value) {
    return std::to_string(value);
}

void writeLine(std::string_view line);

/// Writes one line: the words in their order, in which they are also worked out: hence braces and no parentheses.
/// Nothing may be in it that another run gives otherwise: no port, no time.
struct Trace {
    template <class... Words>
    explicit Trace(const Words&... words) {
        std::string line;
        ((line += (line.empty() ? "" : " ") + text(words)), ...);
        writeLine(line);
    }
};

/// Runs this thread's loop until `condition` holds; false when that takes too long.
bool pumpUntil(const std::function<bool()>& condition, std::chrono::milliseconds atMost = 10s);

/// Runs the loop for a moment: for what must not come, and for what comes after the last that can be waited for.
void settle(std::chrono::milliseconds time = 30ms);

/// Writes down what a server or a socket emits, as long as it lives; lines of sockets begin with a name. Of
/// bytesWritten only the sum is the same everywhere: BytesWritten has it.
class Watch {
  public:
    explicit Watch(Server& server);
    explicit Watch(Socket& socket, const std::string& name = "socket");

  private:
    Object listener_;
};

struct BytesWritten {
    explicit BytesWritten(Socket& socket);
    std::int64_t sum = 0;
};

/// How a system's socket sees its peer end the connection, with nothing read of what came before: "end", "reset", or
/// "nothing" where that does not happen in time. The loop runs meanwhile.
std::string endOf(const PlainSocket& socket, std::chrono::milliseconds atMost = 5s);

/// While it lives, the process gets no new descriptor.
class NoDescriptorsLeft {
  public:
    NoDescriptorsLeft();
    NoDescriptorsLeft(const NoDescriptorsLeft&) = delete;
    NoDescriptorsLeft& operator=(const NoDescriptorsLeft&) = delete;
    ~NoDescriptorsLeft();

  private:
    rlimit before_{};
};

/// A port at which nobody listens, because somebody is bound to it.
class RefusingPort {
  public:
    RefusingPort();
    std::uint16_t port() const { return socket_.port(); }

  private:
    PlainSocket socket_;
};

/// A listener that answers nobody: its backlog is full.
class SilentPort {
  public:
    SilentPort();
    std::uint16_t port() const { return listener_.port(); }

  private:
    PlainSocket listener_ = PlainSocket::listening(0);
    std::vector<PlainSocket> fillers_;
};

/// A connection: the library has one end, the system the other.
struct Pair {
    explicit Pair(PlainSocket listener = PlainSocket::listening());
    Socket socket;
    PlainSocket peer;
};

} // namespace compare
