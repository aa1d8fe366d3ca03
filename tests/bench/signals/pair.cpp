// The floor below the bare loop: a function pointer and its context, side by side.

#include "emission.h"

#include <vector>

namespace {

struct Pair {
    struct Receiver {
        [[gnu::noinline]] void add(int n) { sum += n; }
        long long sum = 0;
    };
    struct Slot {
        void (*call)(void* context, int n);
        void* context;
    };
    using Signal = std::vector<Slot>;
    struct Sender {
        Signal changed;
    };
    struct Handle {}; // the last one is meant
    static constexpr bool tracks = false;
    static Handle connect(Sender& sender, Receiver& receiver) {
        sender.changed.push_back({[](void* context, int n) { static_cast<Receiver*>(context)->add(n); }, &receiver});
        return {};
    }
    static void disconnect(Sender& sender, Handle&) { sender.changed.pop_back(); }
    static void fire(Sender& sender, int n) {
        for (const Slot& each : sender.changed)
            each.call(each.context, n);
    }
};

} // namespace

int main(int argc, char** argv) { return bench::serve(bench::emissionCases<Pair>(), argc, argv); }
