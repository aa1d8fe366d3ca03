#pragma once

#include <halyard/core/clock.h>

#include <chrono>
#include <concepts>
#include <optional>
#include <system_error>
#include <utility>

namespace halyard {

namespace detail {

/// An error, or none. An error_code would ask the library for the category of none.
class WhyNot {
  public:
    WhyNot() noexcept = default;
    explicit WhyNot(std::error_code error) noexcept : category_(&error.category()), value_(error.value()) {}

    bool isError() const noexcept { return value_ != 0; }
    std::error_code error() const noexcept {
        return category_ != nullptr ? std::error_code(value_, *category_) : std::error_code();
    }

  private:
    const std::error_category* category_ = nullptr;
    int value_ = 0;
};

} // namespace detail

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
    /// @{
    Awaited(T&& value) : value_(std::move(value)) {}            // NOLINT(google-explicit-constructor)
    Awaited(const T& value) requires std::copy_constructible<T> // NOLINT(google-explicit-constructor)
        : value_(value) {}
    /// The one that `make` gives, made where it stays.
    template <std::invocable Make>
    Awaited(std::in_place_t, const Make& make) : value_(std::in_place, Made<Make>{make}) {}
    /// @}
    /// Without: this is why.
    Awaited(std::error_code error) noexcept // NOLINT(google-explicit-constructor)
        : whyNot_(error) {}

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
    std::error_code error() const noexcept { return whyNot_.error(); }

  private:
    template <class Make>
    struct Made {
        const Make& make;
        operator T() const { return make(); } // NOLINT(google-explicit-constructor)
    };

    std::optional<T> value_;
    detail::WhyNot whyNot_;
};

/// That an await has brought what it was for, or why not.
template <>
class Awaited<void> {
  public:
    Awaited() noexcept = default;
    /// It has not: this is why.
    Awaited(std::error_code error) noexcept : whyNot_(error) {} // NOLINT(google-explicit-constructor)

    bool hasValue() const noexcept { return !whyNot_.isError(); }      ///< It has.
    explicit operator bool() const noexcept { return hasValue(); }     ///< The same.
    std::error_code error() const noexcept { return whyNot_.error(); } ///< As that of the others.

  private:
    detail::WhyNot whyNot_;
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
        : when_(Clock::after(withinReach(delay))) {}

    bool isForEver() const noexcept { return when_ == Clock::time_point::max(); } ///< It has no end.
    Clock::time_point when() const noexcept { return when_; }                     ///< The end, in the time of Clock.

  private:
    /// Asked roughly first: what no clock reaches does not become milliseconds without overflow.
    template <class Rep, class Period>
    static constexpr std::chrono::milliseconds withinReach(std::chrono::duration<Rep, Period> delay) noexcept {
        constexpr auto reach = std::chrono::floor<std::chrono::milliseconds>(Clock::duration::max());
        const std::chrono::duration<double> roughly = delay;
        return roughly > reach    ? reach
               : roughly < -reach ? -reach
                                  : std::chrono::ceil<std::chrono::milliseconds>(delay);
    }

    Clock::time_point when_ = Clock::time_point::max();
};

} // namespace halyard
