#pragma once

#include <chrono>
#include <functional>
#include <memory>

namespace halyard::test {

/// A loop that is not Halyard's, with a driver of Halyard's in it. The same cases are asked of each.
class Host {
  public:
    Host() = default;
    Host(const Host&) = delete;
    Host& operator=(const Host&) = delete;
    virtual ~Host() = default;

    /// Turns its loop until the condition holds. False after `patience`, which a timer of its own measures: nothing
    /// else ends a sleep.
    virtual bool runUntil(const std::function<bool()>& condition, std::chrono::milliseconds patience) = 0;

    /// Calls once, from a timer of its own.
    virtual void after(std::chrono::milliseconds wait, std::function<void()> callback) = 0;

    virtual void endDriver() = 0;

    virtual bool mayNest() const { return false; }           ///< a turn of it in a slot
    virtual bool mayExec() const { return true; }            ///< Halyard's exec() in a slot
    virtual bool exceptionsComeOut() const { return false; } ///< of runUntil(), and need no handler

    int turns = 0;
};

std::unique_ptr<Host> makeHost();

} // namespace halyard::test
