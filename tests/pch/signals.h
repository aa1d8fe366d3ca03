// What nearly every test of an area includes: read once for a program instead of once for a file. Each file still
// includes what it uses.
#include <doctest/doctest.h>

#include <halyard/signals/signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>
