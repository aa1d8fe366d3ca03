#include <halyard/core/successor.h>

#include "handover.h"

#include <halyard/core/fd_notifier.h>
#include <halyard/core/timer.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <string_view>
#include <system_error>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace halyard {

namespace {

/// Everything that the new process needs, made before it is: between fork(2) and exec(3) of a program with threads
/// nothing may be allocated.
class Start {
  public:
    Start(std::vector<std::string>& command, const std::vector<std::pair<int, std::string>>& given, int ready) {
        for (const auto& [descriptor, name] : given) {
            descriptors_.push_back(descriptor);
            names_ += (descriptors_.size() == 1 ? "" : ":") + name;
        }
        descriptors_.push_back(ready);
        const auto count = std::to_string(given.size());
        const auto last = std::to_string(static_cast<std::size_t>(firstInherited) + given.size());
        variables_ = {"LISTEN_FDS=" + count, "LISTEN_FDNAMES=" + names_,
                      std::string(readyDescriptorVariable) + '=' + last};
        ownIds_ = {"LISTEN_PID="};
        for (char** each = environ; *each != nullptr; ++each) {
            const std::string_view variable = *each;
            if (variable.starts_with("WATCHDOG_PID="))
                ownIds_ = {"LISTEN_PID=", "WATCHDOG_PID="};
            if (std::none_of(ours_.begin(), ours_.end(), [&](const auto& name) { return variable.starts_with(name); }))
                environment_.push_back(*each);
        }
        for (std::string& each : variables_)
            environment_.push_back(each.data());
        for (std::string& each : ownIds_) {
            each.resize(each.size() + roomForId, '\0');
            environment_.push_back(each.data());
        }
        environment_.push_back(nullptr);
        for (std::string& each : command)
            arguments_.push_back(each.data());
        arguments_.push_back(nullptr);
    }

    /// In the new process.
    [[noreturn]] void run() noexcept {
        // Out of the way first: the numbers that they get may be those of others of them.
        const int above = firstInherited + static_cast<int>(descriptors_.size());
        for (int& each : descriptors_)
            each = ::fcntl(each, F_DUPFD_CLOEXEC, above);
        int next = firstInherited;
        for (const int each : descriptors_)
            if (::dup2(each, next++) < 0)
                ::_exit(cannotBeStarted);
        for (std::string& each : ownIds_)
            writeOwnId(each.data() + each.size() - roomForId);
        environ = environment_.data();
        ::execvp(arguments_.front(), arguments_.data());
        ::_exit(cannotBeStarted);
    }

    static constexpr int cannotBeStarted = 127; // as the shell has it

  private:
    static constexpr std::array<std::string_view, 5> ours_{
        "LISTEN_FDS=", "LISTEN_FDNAMES=", "LISTEN_PID=", "WATCHDOG_PID=", "HALYARD_READY_FD="};

    static constexpr std::size_t roomForId = 20;

    static void writeOwnId(char* const text) noexcept {
        char* end = text;
        for (pid_t rest = ::getpid(); rest != 0; rest /= 10)
            *end++ = static_cast<char>('0' + rest % 10);
        std::reverse(text, end);
    }

    std::vector<int> descriptors_;
    std::string names_;
    std::vector<std::string> variables_;
    std::vector<std::string> ownIds_; ///< variables whose value is the new process's number
    std::vector<char*> environment_;
    std::vector<char*> arguments_;
};

} // namespace

Successor::Successor(std::vector<std::string> command, Object* parent) : Object(parent), command_(std::move(command)) {}

Successor::~Successor() {
    if (pipe_ < 0)
        return;
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
    ::close(stopHearing());
}

void Successor::give(int descriptor, const std::string& name) {
    given_.emplace_back(descriptor, name);
    std::replace(given_.back().second.begin(), given_.back().second.end(), ':', '=');
}

bool Successor::start(std::chrono::milliseconds limit) {
    if (!isOnItsThread("Successor::start()"))
        return false;
    const auto refuse = [this](const std::string& why) {
        error_ = "cannot start a successor: " + why;
        return false;
    };
    if (process_ >= 0 || command_.empty())
        return refuse(command_.empty() ? "there is no command" : "it was started already");
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
        return refuse(std::generic_category().message(errno));
    Start beginning(command_, given_, ends[1]);
    process_ = ::fork();
    if (process_ == 0)
        beginning.run();
    const int error = errno;
    ::close(ends[1]);
    if (process_ < 0) {
        ::close(ends[0]);
        return refuse(std::generic_category().message(error));
    }
    error_.clear();
    pipe_ = ends[0];
    notifier_ = new FdNotifier(pipe_, FdNotifier::Read, this);
    notifier_->activated.connect(this, &Successor::hear);
    deadline_ = new Timer(this);
    deadline_->setSingleShot(true);
    deadline_->timeout.connect(this, [this] { giveUp("it was not ready in time"); });
    deadline_->start(limit);
    return true;
}

void Successor::hear() {
    char byte = 0;
    const ssize_t size = ::read(pipe_, &byte, 1);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size <= 0) {
        giveUp("it ended before it was ready");
        return;
    }
    ::close(stopHearing());
    ready();
}

void Successor::giveUp(const std::string& why) {
    ::close(stopHearing());
    int status = 0;
    // It is dead nearly always; one that has closed its end and lives has nothing to live for.
    if (::waitpid(process_, &status, WNOHANG) == 0) {
        ::kill(process_, SIGKILL);
        ::waitpid(process_, &status, 0);
    }
    process_ = -1;
    error_ = "the successor does not take over: " + why;
    if (WIFEXITED(status) && WEXITSTATUS(status) == Start::cannotBeStarted)
        error_ = "cannot start a successor: '" + command_.front() + "' cannot be executed";
    else if (WIFEXITED(status))
        error_ += ", with exit code " + std::to_string(WEXITSTATUS(status));
    failed(error_);
}

int Successor::stopHearing() {
    delete notifier_.get();
    delete deadline_.get();
    return std::exchange(pipe_, -1);
}

} // namespace halyard
