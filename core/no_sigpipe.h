#pragma once

#include <cerrno>
#include <csignal>
#include <ctime>

namespace halyard {

/// Keeps SIGPIPE from the calling thread, and takes back the one that a call has caused meanwhile, which may have
/// succeeded in part: what the process does with the signal stays as it is.
class NoSigpipe {
  public:
    NoSigpipe() noexcept {
        ::sigemptyset(&pipe_);
        ::sigaddset(&pipe_, SIGPIPE);
        sigset_t pending;
        ::sigpending(&pending);
        wasPending_ = ::sigismember(&pending, SIGPIPE) == 1;
        ::pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
    }
    NoSigpipe(const NoSigpipe&) = delete;
    NoSigpipe& operator=(const NoSigpipe&) = delete;
    ~NoSigpipe() {
        const int error = errno;
        const timespec now{};
        if (!wasPending_)
            while (::sigtimedwait(&pipe_, nullptr, &now) < 0 && errno == EINTR) {
            }
        ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
        errno = error;
    }

  private:
    sigset_t pipe_;
    sigset_t before_;
    bool wasPending_ = false;
};

} // namespace halyard
