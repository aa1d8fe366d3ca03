#pragma once

#include <type_traits>

/// Which argument is the reason why a slot cannot be called. Nothing here is for users of signals.
namespace halyard::detail {

template <class...>
struct Types {};

/// The parameters of what has one signature; void for what has several, or a rarer one.
template <class F>
struct ParametersOf {
    using type = void;
};
template <class F>
requires requires { &F::operator(); }
struct ParametersOf<F> : ParametersOf<decltype(&F::operator())> {};
template <class Result, class... P>
struct ParametersOf<Result (*)(P...)> {
    using type = Types<P...>;
};
template <class Result, class... P>
struct ParametersOf<Result (*)(P...) noexcept> {
    using type = Types<P...>;
};
template <class Result, class T, class... P>
struct ParametersOf<Result (T::*)(P...)> {
    using type = Types<P...>;
};
template <class Result, class T, class... P>
struct ParametersOf<Result (T::*)(P...) const> {
    using type = Types<P...>;
};
template <class Result, class T, class... P>
struct ParametersOf<Result (T::*)(P...) noexcept> {
    using type = Types<P...>;
};
template <class Result, class T, class... P>
struct ParametersOf<Result (T::*)(P...) const noexcept> {
    using type = Types<P...>;
};

enum class Misfit { First, Second, Third, Later, TooMany, Unknown };

/// What keeps a slot with these parameters from a signal whose slots see these arguments.
template <class Parameters, class Arguments>
struct MisfitOf {
    static constexpr Misfit value = Misfit::Unknown;
};
template <class P, class... More>
struct MisfitOf<Types<P, More...>, Types<>> {
    static constexpr Misfit value = Misfit::TooMany;
};
template <class P, class... MoreP, class A, class... MoreA>
struct MisfitOf<Types<P, MoreP...>, Types<A, MoreA...>> {
    static constexpr Misfit later = MisfitOf<Types<MoreP...>, Types<MoreA...>>::value;
    static constexpr Misfit value = !std::is_convertible_v<A, P> ? Misfit::First
                                    : later == Misfit::First     ? Misfit::Second
                                    : later == Misfit::Second    ? Misfit::Third
                                    : later == Misfit::Third     ? Misfit::Later
                                                                 : later;
};

} // namespace halyard::detail
