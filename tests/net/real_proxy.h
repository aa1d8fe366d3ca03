#pragma once

#include <halyard/net/network_proxy.h>

#include <plain_socket.h>
#include <pump.h>
#include <scratch_directory.h>

#include <doctest/doctest.h>

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

namespace halyard::test {

/// A proxy that somebody else has written, as a process of its own on a free port of the loopback address, with a
/// configuration and whatever else it writes in a directory that goes with it.
class RealProxy {
  public:
    /// Its command line, once it is known where it listens; it writes what files it needs.
    using Arrange = std::function<std::vector<std::string>(RealProxy& proxy)>;

    /// Whether the program is there. Where it is not, its tests are skipped, with a word; or fail, where the
    /// environment variable HALYARD_TEST_REAL_PROXIES is set.
    static bool isInstalled(const std::string& program) {
        for (const std::string directory : {"/usr/sbin/", "/usr/bin/", "/usr/local/sbin/", "/usr/local/bin/"})
            if (::access((directory + program).c_str(), X_OK) == 0)
                return true;
        CHECK_MESSAGE(std::getenv("HALYARD_TEST_REAL_PROXIES") == nullptr, program << " is not installed");
        MESSAGE(program << " is not installed: skipped");
        return false;
    }

    explicit RealProxy(const Arrange& arrange, std::vector<std::string> environment = {})
        : environment_(std::move(environment)) {
        ::chmod(directory_.file("").c_str(), 0755); // some go on as another user
        for (int tries = 0; tries != 5; ++tries) {  // somebody else may take the port first
            port_ = PlainSocket::listening().port();
            start(arrange(*this));
            if (pumpUntilElsewhere([this] { return listens() || hasEnded(); }) && !hasEnded())
                return;
            stop();
        }
        std::string said;
        for (const std::string file : {"output", "log"})
            said += (std::ostringstream() << std::ifstream(path(file)).rdbuf()).str();
        throw std::runtime_error("the proxy does not start: " + said);
    }
    RealProxy(const RealProxy&) = delete;
    RealProxy& operator=(const RealProxy&) = delete;
    ~RealProxy() { stop(); }

    std::uint16_t port() const { return port_; }
    std::string at() const { return "127.0.0.1:" + std::to_string(port_); }
    std::string path(const std::string& file) const { return directory_.file(file); }
    std::string write(const std::string& file, const std::string& text) const {
        std::ofstream(path(file)) << text;
        return path(file);
    }
    NetworkProxy as(NetworkProxy::Type type, std::string user = {}, std::string password = {}) const {
        return {type, "127.0.0.1", port_, std::move(user), std::move(password)};
    }

  private:
    void start(std::vector<std::string> words) {
        std::vector<char*> arguments;
        for (std::string& each : words)
            arguments.push_back(each.data());
        arguments.push_back(nullptr);
        std::vector<char*> environment;
        for (std::string& each : environment_)
            environment.push_back(each.data());
        std::string search = "PATH=/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin";
        environment.push_back(search.data());
        environment.push_back(nullptr);
        posix_spawn_file_actions_t files;
        ::posix_spawn_file_actions_init(&files);
        ::posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
        ::posix_spawn_file_actions_addopen(&files, 1, path("output").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
        ::posix_spawn_file_actions_adddup2(&files, 1, 2);
        posix_spawnattr_t attributes; // a group of its own, with what it starts itself
        ::posix_spawnattr_init(&attributes);
        ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
        const int error = ::posix_spawnp(&id_, arguments[0], &files, &attributes, arguments.data(), environment.data());
        ::posix_spawnattr_destroy(&attributes);
        ::posix_spawn_file_actions_destroy(&files);
        if (error != 0)
            throw std::runtime_error("cannot start " + words[0]);
    }

    bool listens() const {
        const PlainSocket socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const sockaddr_in name = PlainSocket::loopback(port_);
        return ::connect(socket.descriptor(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0;
    }

    bool hasEnded() {
        if (id_ > 0 && ::waitpid(id_, nullptr, WNOHANG) == id_)
            id_ = -1;
        return id_ <= 0;
    }

    void stop() {
        if (hasEnded())
            return;
        ::kill(-id_, SIGKILL);
        ::waitpid(id_, nullptr, 0);
        id_ = -1;
    }

    ScratchDirectory directory_;
    std::vector<std::string> environment_;
    pid_t id_ = -1;
    std::uint16_t port_ = 0;
};

} // namespace halyard::test
