#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cstddef>
#include <string_view>
#include <utility>

namespace halyard::test {

/// A pipe whose ends close themselves.
class Pipe {
  public:
    Pipe() {
        if (::pipe2(ends_, O_CLOEXEC | O_NONBLOCK) != 0)
            ends_[0] = ends_[1] = -1;
    }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    ~Pipe() {
        closeReader();
        closeWriter();
    }

    int reader() const { return ends_[0]; }
    int writer() const { return ends_[1]; }

    void closeReader() { closeEnd(0); }
    void closeWriter() { closeEnd(1); }

    bool put(std::string_view text) const {
        return ::write(ends_[1], text.data(), text.size()) == static_cast<ssize_t>(text.size());
    }
    /// How many bytes there were.
    std::size_t drain() const {
        char buffer[4096];
        std::size_t all = 0;
        for (ssize_t n = 0; (n = ::read(ends_[0], buffer, sizeof buffer)) > 0;)
            all += static_cast<std::size_t>(n);
        return all;
    }
    /// Until it takes no more.
    std::size_t fill() const {
        static constexpr char zeros[4096] = {};
        std::size_t all = 0;
        for (ssize_t n = 0; (n = ::write(ends_[1], zeros, sizeof zeros)) > 0;)
            all += static_cast<std::size_t>(n);
        return all;
    }

  private:
    void closeEnd(int which) {
        if (const int fd = std::exchange(ends_[which], -1); fd >= 0)
            ::close(fd);
    }

    int ends_[2] = {-1, -1};
};

} // namespace halyard::test
