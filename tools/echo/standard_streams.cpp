#include "standard_streams.h"

#include <cerrno>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace echo {

namespace {

/// 0, or the errno of what failed.
int writeAll(int descriptor, std::string_view bytes) noexcept {
    while (!bytes.empty()) {
        const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
        if (written >= 0) {
            bytes.remove_prefix(static_cast<std::size_t>(written));
        } else if (errno == EAGAIN) {
            // On a terminal standard input and output are one open file: who watches the one makes both
            // non-blocking.
            pollfd room{descriptor, POLLOUT, 0};
            if (::poll(&room, 1, -1) < 0 && errno != EINTR)
                return errno;
        } else if (errno != EINTR) {
            return errno;
        }
    }
    return 0;
}

} // namespace

void openMissingStreams() {
    for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
        if (::fcntl(descriptor, F_GETFD) < 0 && errno == EBADF)
            // The lowest free number is the one that is missing.
            (void)::open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

void writeOut(std::string_view bytes) {
    if (const int error = writeAll(STDOUT_FILENO, bytes); error != 0)
        throw std::system_error(error, std::generic_category(), "cannot write to standard output");
}

void writeError(std::string_view bytes) {
    (void)writeAll(STDERR_FILENO, bytes); // there is nobody left to tell
}

void complain(std::string_view sentence) {
    std::string line = "halyard-echo: ";
    line.append(sentence).push_back('\n');
    writeError(line);
}

} // namespace echo
