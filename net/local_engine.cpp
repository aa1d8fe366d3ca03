#include "local_engine.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <new>
#include <string>
#include <thread>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace halyard {

namespace {

using namespace std::chrono_literals;

constexpr auto retryAfter = 20ms;

/// Orders those that replace files in a directory, as long as it lives; where the directory cannot be locked within a
/// second they are not ordered.
class DirectoryLock {
  public:
    explicit DirectoryLock(std::string path) {
        path.erase(path.rfind('/') + 1); // all of it where there is none
        directory_ = ::open(path.empty() ? "." : path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        for (int tries = 0; directory_ >= 0 && ::flock(directory_, LOCK_EX | LOCK_NB) != 0 && tries != 1000; ++tries)
            std::this_thread::sleep_for(1ms);
    }
    DirectoryLock(const DirectoryLock&) = delete;
    DirectoryLock& operator=(const DirectoryLock&) = delete;
    ~DirectoryLock() {
        if (directory_ >= 0)
            ::close(directory_);
    }

  private:
    int directory_;
};

/// Whether a socket file is left over. A datagram socket asks: what is open there and of another type refuses it
/// (EPROTOTYPE), and notices nothing of it.
bool isLeftOver(const LocalName& name) noexcept {
    struct stat file {};
    if (::lstat(name.path(), &file) != 0 || !S_ISSOCK(file.st_mode))
        return false;
    const int probe = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0)
        return false;
    const bool refused = ::connect(probe, name.sockaddrPointer(), name.size) != 0 && errno == ECONNREFUSED;
    ::close(probe);
    return refused;
}

} // namespace

// --- connecting ---

int LocalEngine::connectToName(const LocalName& name) noexcept {
    name_ = name;
    if (name.error != 0)
        return name.error;
    const int error = open(AF_UNIX);
    return error != 0 ? error : tryToConnect();
}

int LocalEngine::tryToConnect() noexcept {
    int result = 0;
    do {
        result = ::connect(descriptor(), name_.sockaddrPointer(), name_.size);
    } while (result != 0 && errno == EINTR);
    stands_ = result == 0;
    if (stands_)
        return 0;
    if (errno != EAGAIN)
        return errno;
    try {
        retry_.arm(Deadline::after(retryAfter));
    } catch (const std::bad_alloc&) {
        return ENOMEM;
    }
    return EINPROGRESS;
}

int LocalEngine::finishConnect() noexcept { return stands_ ? 0 : tryToConnect(); }

int LocalEngine::observe(std::uint32_t wanted) {
    return stands_ ? NativeEngine::observe(wanted) : 0; // until then the descriptor is always ready
}

std::uint32_t LocalEngine::wait(std::uint32_t wanted, std::optional<Time> until, int* error) {
    if (stands_)
        return NativeEngine::wait(wanted, until, error);
    *error = 0;
    const Time next = std::chrono::steady_clock::now() + retryAfter;
    std::this_thread::sleep_until(until ? std::min(*until, next) : next);
    return until && *until <= next ? readiness::None : readiness::Writable;
}

void LocalEngine::close(bool reset) noexcept {
    retry_.disarm();
    NativeEngine::close(reset);
}

void LocalEngine::leaveLoop() noexcept {
    retry_.leaveLoop();
    NativeEngine::leaveLoop();
}

void LocalEngine::joinLoop() {
    NativeEngine::joinLoop();
    retry_.joinLoop();
}

// --- listening ---

int LocalListener::bindToName() noexcept {
    return ::bind(descriptor(), name_.sockaddrPointer(), name_.size) == 0 ? 0 : errno;
}

int LocalListener::listenAtName(const LocalName& name, int backlog, std::optional<mode_t> permissions) noexcept {
    name_ = name;
    int error = name.error != 0 ? name.error : open(AF_UNIX);
    if (error == 0)
        error = bindToName();
    if (error == EADDRINUSE && !name.isAbstract()) {
        // Of several that find the same file left over one replaces it, and the others then find that one.
        const DirectoryLock lock(name.path());
        if (isLeftOver(name) && ::unlink(name.path()) == 0)
            error = bindToName();
    }
    if (error == 0 && !name.isAbstract()) {
        struct stat file {};
        if (::lstat(name.path(), &file) == 0) {
            device_ = file.st_dev;
            inode_ = file.st_ino;
        }
        // Before anybody can connect.
        if (permissions && ::chmod(name.path(), *permissions) != 0)
            error = errno;
    }
    if (error == 0 && ::listen(descriptor(), backlog) != 0)
        error = errno;
    if (error != 0)
        close(false);
    return error;
}

int LocalListener::release() noexcept {
    inode_ = 0;
    return NativeEngine::release();
}

void LocalListener::close(bool reset) noexcept {
    // While the descriptor is open no other file can have the number of ours.
    struct stat file {};
    if (inode_ != 0 && ::lstat(name_.path(), &file) == 0 && file.st_dev == device_ && file.st_ino == inode_)
        ::unlink(name_.path());
    inode_ = 0;
    NativeEngine::close(reset);
}

} // namespace halyard
