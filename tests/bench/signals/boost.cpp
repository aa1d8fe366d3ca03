// A receiver that dies leaves its connections where they are: emissions and connects take them out later.

#include "emission.h"

#include <boost/bind/bind.hpp>
#include <boost/signals2.hpp>

namespace {

struct Boost {
    struct Receiver : boost::signals2::trackable {
        [[gnu::noinline]] void add(int n) { sum += n; }
        long long sum = 0;
    };
    using Signal = boost::signals2::signal<void(int)>;
    struct Sender {
        Signal changed;
    };
    using Handle = boost::signals2::connection;
    static constexpr bool tracks = true;
    static Handle connect(Sender& sender, Receiver& receiver) {
        return sender.changed.connect(boost::bind(&Receiver::add, &receiver, boost::placeholders::_1));
    }
    static void disconnect(Sender&, Handle& handle) { handle.disconnect(); }
    static void fire(Sender& sender, int n) { sender.changed(n); }
};

} // namespace

int main(int argc, char** argv) { return bench::serve(bench::emissionCases<Boost>(), argc, argv); }
