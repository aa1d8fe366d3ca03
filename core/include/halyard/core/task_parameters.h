#pragma once

#include <coroutine>
#include <type_traits>

/// Which parameters a task may have. Nothing here is for users of tasks.
namespace halyard::detail {

/// A temporary of it is what a caller is likely to write: "text", 5, {1, 2, 3}.
template <class T>
concept Content = !std::is_class_v<T> || requires(const T& value) {
    value.begin();
    value.end();
};

template <class P>
inline constexpr bool isConstReference = std::is_lvalue_reference_v<P>&& std::is_const_v<std::remove_reference_t<P>>;

/// Whether a closure of type T runs Itself: a lambda's body has its closure as its first parameter.
template <class Itself, class Call>
struct IsBodyOf : std::false_type {};
template <class Itself, class T, class... P>
struct IsBodyOf<Itself, Itself (T::*)(P...)> : std::true_type {};
template <class Itself, class T, class... P>
struct IsBodyOf<Itself, Itself (T::*)(P...) const> : std::true_type {};

template <class T, class Itself>
concept CapturingBodyOf = std::is_class_v<T> && !std::is_empty_v<T> && requires {
    requires IsBodyOf<Itself, decltype(&T::operator())>::value;
};

/// What a parameter must not be; the first one may be the object of a member function.
template <class Itself, class... P>
struct Checked {
    static constexpr bool captures = false;
    static constexpr bool takesConst = false;
    static constexpr bool takesRvalue = false;
};
template <class Itself, class First, class... P>
struct Checked<Itself, First, P...> {
    static constexpr bool captures = std::is_reference_v<First> && CapturingBodyOf<std::remove_cvref_t<First>, Itself>;
    static constexpr bool takesConst =
        (isConstReference<First> && Content<std::remove_cvref_t<First>>) || (isConstReference<P> || ...);
    static constexpr bool takesRvalue = std::is_rvalue_reference_v<First> || (std::is_rvalue_reference_v<P> || ...);
};

/// The promise of a task with these parameters.
template <class Itself, class... P>
class PromiseFor final : public Itself::promise_type {
  public:
    /// They are looked at here because a closure has no size yet where its body asks for a promise.
    Itself get_return_object() noexcept {
        using Its = Checked<Itself, P...>;
        static_assert(!Its::captures, "a lambda that is a task cannot capture: its closure may be gone when the task "
                                      "goes on; hand over as arguments what it needs");
        static_assert(!Its::takesConst,
                      "a task cannot take a const reference: the temporary behind it may be gone when "
                      "the task goes on; take a value");
        static_assert(!Its::takesRvalue,
                      "a task cannot take an rvalue reference: what is behind it may be gone when the "
                      "task goes on; take a value");
        return this->taskOf(std::coroutine_handle<PromiseFor>::from_promise(*this));
    }
};

} // namespace halyard::detail
