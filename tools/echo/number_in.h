#pragma once

#include <CLI/CLI.hpp>

#include <cmath>
#include <string>

namespace echo {

/// What a number with fractions may be: CLI::Range alone takes "nan", which is in every range.
inline CLI::Validator numberIn(double least, double most) {
    const auto isOne = [](const std::string& text) -> std::string {
        double value = 0;
        return CLI::detail::lexical_cast(text, value) && std::isnan(value) ? "Value " + text + " is no number" : "";
    };
    return CLI::Range(least, most) & CLI::Validator(isOne, "");
}

} // namespace echo
