#include "emission.h"

#include <sigc++/sigc++.h>

namespace {

struct SigCpp {
    struct Receiver : sigc::trackable {
        [[gnu::noinline]] void add(int n) { sum += n; }
        long long sum = 0;
    };
    using Signal = sigc::signal<void(int)>;
    struct Sender {
        Signal changed;
    };
    using Handle = sigc::connection;
    static constexpr bool tracks = true;
    static Handle connect(Sender& sender, Receiver& receiver) {
        return sender.changed.connect(sigc::mem_fun(receiver, &Receiver::add));
    }
    static void disconnect(Sender&, Handle& handle) { handle.disconnect(); }
    static void fire(Sender& sender, int n) { sender.changed(n); }
};

} // namespace

int main(int argc, char** argv) { return bench::serve(bench::emissionCases<SigCpp>(), argc, argv); }
