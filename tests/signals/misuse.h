#pragma once

#include <halyard/signals/link.h>

#include <cstdio>
#include <string>
#include <utility>
#include <vector>

/// Collects what is said of wrong calls while it lives, instead of having it printed.
class Misuse {
  public:
    Misuse() {
        said().clear();
        halyard::detail::setMisuseHandler([](const char* sentence) { said().emplace_back(sentence); });
    }
    Misuse(const Misuse&) = delete;
    Misuse& operator=(const Misuse&) = delete;
    ~Misuse() {
        halyard::detail::setMisuseHandler(
            [](const char* sentence) { std::fprintf(stderr, "halyard: %s\n", sentence); });
    }

    /// The sentences so far; reading them forgets them.
    std::vector<std::string> sentences() const { return std::exchange(said(), {}); }

  private:
    static std::vector<std::string>& said() {
        static std::vector<std::string> all;
        return all;
    }
};
