#pragma once

#include <algorithm>
#include <charconv>
#include <concepts>
#include <optional>
#include <string_view>
#include <system_error>

/// What names, URLs and the lines of protocols are made of: ASCII, whatever the program's locale is.
namespace halyard {

constexpr bool isDigit(char c) noexcept { return c >= '0' && c <= '9'; }

constexpr char toLower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

inline bool isSame(std::string_view a, std::string_view b) noexcept {
    return std::ranges::equal(a, b, {}, toLower, toLower);
}

/// The number that the whole text is; nothing where it is something else, or too large.
template <std::integral Number>
std::optional<Number> parseNumber(std::string_view text, int base = 10) noexcept {
    Number number = 0;
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, number, base);
    if (error != std::errc{} || rest != end)
        return std::nullopt;
    return number;
}

/// Digits only and no leading zero, so that nobody has to ask whether "010" is eight.
template <std::unsigned_integral Number>
std::optional<Number> parseDecimal(std::string_view text) noexcept {
    return text.size() > 1 && text.front() == '0' ? std::nullopt : parseNumber<Number>(text);
}

} // namespace halyard
