#include "pipe.h"

#include <algorithm>

#include <fcntl.h>
#include <unistd.h>

namespace halyard {

namespace {

constexpr std::size_t largest = 1024 * 1024; // what pipe(7) lets everybody have

} // namespace

std::shared_ptr<Pipe> Pipe::make(std::size_t capacity) {
    std::shared_ptr<Pipe> pipe(new Pipe);
    if (::pipe2(pipe->ends_, O_CLOEXEC | O_NONBLOCK) != 0)
        return nullptr;
    ::fcntl(pipe->writeEnd(), F_SETPIPE_SZ,
            static_cast<int>(std::min(capacity, largest))); // another one does its work too
    return pipe;
}

Pipe::~Pipe() {
    for (const int end : ends_)
        if (end >= 0)
            ::close(end);
}

} // namespace halyard
