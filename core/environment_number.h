#pragma once

#include <charconv>
#include <concepts>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

namespace halyard {

/// The decimal number in an environment variable; nothing where there is none, or something else.
template <std::integral Number>
std::optional<Number> environmentNumber(const char* variable) {
    const char* const value = std::getenv(variable); // NOLINT(concurrency-mt-unsafe): read, at the program's start
    if (value == nullptr)
        return std::nullopt;
    const std::string_view text = value;
    Number number{};
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || rest != text.data() + text.size())
        return std::nullopt;
    return number;
}

} // namespace halyard
