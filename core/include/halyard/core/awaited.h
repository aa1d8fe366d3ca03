#pragma once

#include <halyard/core/clock.h>

#include <chrono>
#include <optional>
#include <system_error>
#include <utility>

namespace halyard {

/// What an await has brought: a value, or why there is none. I/O, time and cancellation come as this; nothing of them
/// is thrown.
///
///     const auto line = co_await readLine(socket, 30s);
///     if (!line)
///         std::puts(line.error().message().c_str());
///     else
///         handle(*line);
template <class T>
class Awaited {
  public:
    /// With a value.
    Awaited(T value) : value_(std::move(value)) {} // NOLINT(google-explicit-constructor)
    /// Without: this is why.
    Awaited(std::error_code error) noexcept // NOLINT(google-explicit-constructor)
        : category_(&error.category()), code_(error.value()) {}

    bool hasValue() const noexcept { return value_.has_value(); }  ///< There is a value.
    explicit operator bool() const noexcept { return hasValue(); } ///< The same.

    /// @{
    /// The value. Throws std::bad_optional_access where there is none.
    T& operator*() & { return value_.value(); }
    const T& operator*() const& { return value_.value(); }
    T&& operator*() && { return std::move(value_).value(); }
    T* operator->() { return &**this; }
    const T* operator->() const { return &**this; }
    /// @}

    /// Why there is no value; std::error_code() where there is one. Besides what the awaited says of itself:
    ///
    ///     std::errc::timed_out           the time was over
    ///     std::errc::operation_canceled  the task was cancelled
    ///     std::errc::owner_dead          what was awaited is gone: it must not be touched any more
    std::error_code error() const noexcept {
        return category_ != nullptr ? std::error_code(code_, *category_) : std::error_code();
    }

  private:
    std::optional<T> value_;
    const std::error_category* category_ = nullptr; ///< of the error; an error_code asks the library for one
    int code_ = 0;
};

/// That an await has brought what it was for, or why not.
template <>
class Awaited<void> {
  public:
    Awaited() noexcept = default;
    /// It has not: this is why.
    Awaited(std::error_code error) noexcept : error_(error) {} // NOLINT(google-explicit-constructor)

    bool hasValue() const noexcept { return !error_; }             ///< It has.
    explicit operator bool() const noexcept { return hasValue(); } ///< The same.
    std::error_code error() const noexcept { return error_; }      ///< As that of the others.

  private:
    std::error_code error_;
};

/// Until when an await waits: for ever, for some time from now on, or until a point in time of Clock. One that is
/// passed on stays the same point in time.
///
///     const Until deadline = 10s;
///     const auto head = co_await readUntil(socket, "\r\n\r\n", deadline);
///     const auto body = co_await readExactly(socket, length, deadline); // within the same ten seconds
class Until {
  public:
    Until() noexcept = default; ///< For ever.
    /// Until then.
    Until(Clock::time_point when) noexcept : when_(when) {} // NOLINT(google-explicit-constructor)
    /// For so long from now on.
    template <class Rep, class Period>
    Until(std::chrono::duration<Rep, Period> delay) noexcept // NOLINT(google-explicit-constructor)
        : when_(Clock::after(std::chrono::ceil<std::chrono::milliseconds>(delay))) {}

    bool isForEver() const noexcept { return when_ == Clock::time_point::max(); } ///< It has no end.
    Clock::time_point when() const noexcept { return when_; }                     ///< The end, in the time of Clock.

  private:
    Clock::time_point when_ = Clock::time_point::max();
};

} // namespace halyard
