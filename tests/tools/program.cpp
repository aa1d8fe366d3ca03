#include "program.h"

#include "pump.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace halyard::test {

namespace {

using Clock = std::chrono::steady_clock;

std::string echoProgram() {
    const char* const path = std::getenv("HALYARD_ECHO");
    if (path == nullptr)
        throw std::runtime_error("HALYARD_ECHO does not say where the tool is");
    return path;
}

std::pair<int, int> makePipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
        throw std::system_error(errno, std::generic_category(), "pipe2");
    return {ends[0], ends[1]};
}

void closeNow(int& descriptor) noexcept {
    if (descriptor >= 0)
        ::close(std::exchange(descriptor, -1));
}

int remainingUntil(Clock::time_point end) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
    return static_cast<int>(std::max<std::chrono::milliseconds::rep>(left.count(), 0));
}

/// Takes what there is, or closes at the end.
void take(int& descriptor, std::string& into) {
    std::array<char, 65536> piece{};
    const ssize_t size = ::read(descriptor, piece.data(), piece.size());
    if (size > 0)
        into.append(piece.data(), static_cast<std::size_t>(size));
    else if (size == 0)
        closeNow(descriptor);
}

} // namespace

Program Program::echo(std::vector<std::string> arguments, int input) {
    arguments.insert(arguments.begin(), echoProgram());
    return {arguments, input};
}

Program Program::shell(const std::string& script, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"/bin/sh", "-c", "echo=$0; " + script, echoProgram()});
    return {arguments, -1};
}

Program::Program(const std::vector<std::string>& words, int input) {
    int itsInput = -1;
    if (input < 0)
        std::tie(itsInput, input_) = makePipe();
    int itsOutput = -1;
    int itsErrors = -1;
    std::tie(output_, itsOutput) = makePipe();
    std::tie(errors_, itsErrors) = makePipe();

    posix_spawn_file_actions_t streams;
    ::posix_spawn_file_actions_init(&streams);
    ::posix_spawn_file_actions_adddup2(&streams, input < 0 ? itsInput : input, STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&streams, itsOutput, STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&streams, itsErrors, STDERR_FILENO);
    std::vector<char*> argv;
    for (const std::string& each : words)
        argv.push_back(const_cast<char*>(each.c_str()));
    argv.push_back(nullptr);
    const int error = ::posix_spawn(&id_, argv.front(), &streams, nullptr, argv.data(), environ);
    ::posix_spawn_file_actions_destroy(&streams);
    for (int* each : {&itsInput, &itsOutput, &itsErrors})
        closeNow(*each);
    if (error != 0)
        throw std::system_error(error, std::generic_category(), words.front());
}

Program::Program(Program&& other) noexcept
    : id_(std::exchange(other.id_, -1)),
      input_(std::exchange(other.input_, -1)),
      output_(std::exchange(other.output_, -1)),
      errors_(std::exchange(other.errors_, -1)),
      outputText_(std::move(other.outputText_)),
      errorText_(std::move(other.errorText_)) {}

Program::~Program() {
    if (id_ > 0) {
        ::kill(id_, SIGKILL);
        ::waitpid(id_, nullptr, 0);
    }
    for (int* each : {&input_, &output_, &errors_})
        closeNow(*each);
}

/// Waits for output and takes it. False when there is no more.
bool Program::receive() {
    const auto end = Clock::now() + patience();
    while (output_ >= 0 || errors_ >= 0) {
        std::array<pollfd, 2> streams{pollfd{output_, POLLIN, 0}, pollfd{errors_, POLLIN, 0}};
        const int ready = ::poll(streams.data(), streams.size(), remainingUntil(end));
        if (ready == 0)
            throw std::runtime_error("the program wrote nothing more; so far: " + outputText_ + errorText_);
        if (ready < 0)
            continue;
        if (streams[0].revents != 0)
            take(output_, outputText_);
        if (streams[1].revents != 0)
            take(errors_, errorText_);
        return true;
    }
    return false;
}

std::string Program::readLine() {
    std::size_t length = 0;
    while ((length = outputText_.find('\n')) == std::string::npos)
        if (!receive())
            throw std::runtime_error("the program ended: " + outputText_ + errorText_);
    std::string line = outputText_.substr(0, length);
    outputText_.erase(0, length + 1);
    return line;
}

std::string Program::read(std::size_t size) {
    while (outputText_.size() < size && receive()) {
    }
    std::string bytes = outputText_.substr(0, size);
    outputText_.erase(0, bytes.size());
    return bytes;
}

void Program::write(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(input_, bytes.data(), bytes.size());
        if (written <= 0)
            throw std::system_error(errno, std::generic_category(), "writing to the program");
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
}

void Program::endInput() { closeNow(input_); }

void Program::signal(int number) const { ::kill(id_, number); }

Program::Result Program::finish() {
    endInput();
    while (receive()) {
    }
    // Its streams are closed, so it is about to end. Whoever does not is for the time limit of the whole
    // test.
    int status = 0;
    while (::waitpid(id_, &status, 0) < 0 && errno == EINTR) {
    }
    id_ = -1;
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return {code, std::move(outputText_), std::move(errorText_)};
}

std::size_t Program::residentMemory() const {
    std::ifstream status("/proc/" + std::to_string(id_) + "/status");
    for (std::string word; status >> word;)
        if (word == "VmRSS:") {
            std::size_t kibibytes = 0;
            status >> kibibytes;
            return kibibytes * 1024;
        }
    throw std::runtime_error("the system does not say how much memory a program has");
}

namespace {

std::vector<std::string> serveAnywhere(std::vector<std::string> options) {
    options.insert(options.begin(), {"serve", "127.0.0.1:0"});
    return options;
}

} // namespace

EchoServer::EchoServer(std::vector<std::string> options) : Program(Program::echo(serveAnywhere(std::move(options)))) {
    const std::string line = readLine();
    const std::string before = "listening on 127.0.0.1:";
    if (!line.starts_with(before))
        throw std::runtime_error("the server begins with: " + line);
    port_ = static_cast<std::uint16_t>(std::stoi(line.substr(before.size())));
}

Program::Result EchoServer::stop() {
    signal(SIGTERM);
    return finish();
}

} // namespace halyard::test
