#pragma once

#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>

/// What the benchmark's programs share: plain descriptors, without any library under test.
namespace bench {

/// What went wrong, with errno's words.
[[noreturn]] void fail(const std::string& what);

/// Fails where a system call gave −1.
inline int checked(int result, const char* call) {
    if (result < 0)
        fail(call);
    return result;
}

/// Owns a descriptor.
class Descriptor {
  public:
    Descriptor() noexcept = default;
    explicit Descriptor(int number) noexcept : number_(number) {}
    Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(number_, other.number_);
        return *this;
    }
    ~Descriptor();

    int get() const noexcept { return number_; }

  private:
    int number_ = -1;
};

/// A non-blocking listener at a free port of 127.0.0.1, with the system's longest backlog.
Descriptor listenAnywhere();

/// The line by which the script learns where a server listens.
void announce(std::uint16_t port);
void announceListener(int descriptor);

/// As many descriptors as the hard limit allows.
void raiseDescriptorLimit() noexcept;

/// What the main function of an echo server gives: with as many descriptors as that, and what went wrong said.
int run(const std::function<void()>& serve) noexcept;

} // namespace bench
