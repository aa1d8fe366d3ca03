#pragma once

#include <array>
#include <random>
#include <string_view>

/// What the fortune servers have to tell; each thread draws for itself.
inline std::string_view randomFortune() {
    static constexpr std::array<std::string_view, 8> fortunes = {
        "You will cross a small bridge, and a large one will open.\n",
        "A packet that is sent twice arrives once.\n",
        "Who waits without a deadline waits for ever.\n",
        "The port you look for is the one that you have closed.\n",
        "Two that write at once are read by nobody.\n",
        "Fair winds to him who flushes before he closes.\n",
        "Beware of a friend who never reads.\n",
        "What was bound in haste is in use at leisure.\n",
    };
    thread_local std::mt19937 random{std::random_device{}()};
    return fortunes[std::uniform_int_distribution<std::size_t>(0, fortunes.size() - 1)(random)];
}
