// The bare loop: what calling functions through std::function costs, and no safety at all.

#include "emission.h"

#include <functional>
#include <vector>

namespace {

struct Function {
    struct Receiver {
        [[gnu::noinline]] void add(int n) { sum += n; }
        long long sum = 0;
    };
    using Signal = std::vector<std::function<void(int)>>;
    struct Sender {
        Signal changed;
    };
    struct Handle {}; // the last one is meant
    static constexpr bool tracks = false;
    static Handle connect(Sender& sender, Receiver& receiver) {
        sender.changed.emplace_back([&receiver](int n) { receiver.add(n); });
        return {};
    }
    static void disconnect(Sender& sender, Handle&) { sender.changed.pop_back(); }
    static void fire(Sender& sender, int n) {
        for (const std::function<void(int)>& each : sender.changed)
            each(n);
    }
};

} // namespace

int main(int argc, char** argv) { return bench::serve(bench::emissionCases<Function>(), argc, argv); }
