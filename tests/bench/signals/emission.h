#pragma once

#include "case.h"

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <memory>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

/// The cases of one thread, the same for every library. A Library says how its users write them:
///
///     struct Library {
///         struct Receiver { void add(int); long long sum; };   // a slot is a member function, and not inline
///         struct Sender;                                       // has one signal with an int
///         using Handle = ...;                                  // what connect gives, and disconnect takes
///         static constexpr bool tracks = true;                 // a dead receiver is called no more
///         static Handle connect(Sender&, Receiver&);
///         static void disconnect(Sender&, Handle&);
///         static void fire(Sender&, int);                      // the emission
///         using Signal = ...;                                  // void: signals have no memory of their own
///     };
namespace bench {

template <class T>
using Crowd = std::vector<std::unique_ptr<T>>;

template <class T>
Crowd<T> makeCrowd(std::size_t size) {
    Crowd<T> crowd(size);
    for (std::unique_ptr<T>& each : crowd)
        each = std::make_unique<T>();
    return crowd;
}

/// Nothing that memory holds is known any more: what a loop does is done each time.
inline void forgetMemory() { asm volatile("" : : : "memory"); }

/// A connection that was refused would be quick.
template <class Receiver>
void expectCalls(const Crowd<Receiver>& receivers) {
    for (const auto& each : receivers) {
        if (each->sum == 0)
            throw Refused("a slot was not called");
    }
}

/// One emission after another, each to the same slots; the figure is for one slot call (for none: one emission).
template <class Library>
double timeEmission(const Run& run, std::size_t slots) {
    const Crowd<typename Library::Receiver> receivers = makeCrowd<typename Library::Receiver>(slots);
    typename Library::Sender sender;
    for (const auto& each : receivers)
        Library::connect(sender, *each);
    const double each = run.repeated(
        [&sender](std::size_t times) {
            for (std::size_t i = 0; i != times; ++i) {
                Library::fire(sender, static_cast<int>(i) + 1); // not 0, by which nobody would know of the call
                forgetMemory();
            }
        },
        std::max<std::size_t>(slots, 1));
    expectCalls(receivers);
    return each;
}

/// Signals of one slot that were made in one order and are emitted in another, so that the caches do not help.
template <class Library>
double timeColdEmission(const Run& run) {
    constexpr std::size_t count = 50'000;
    const Crowd<typename Library::Receiver> receivers = makeCrowd<typename Library::Receiver>(count);
    const Crowd<typename Library::Sender> senders = makeCrowd<typename Library::Sender>(count);
    std::vector<typename Library::Sender*> order;
    for (std::size_t i = 0; i != count; ++i) {
        Library::connect(*senders[i], *receivers[i]);
        order.push_back(senders[i].get());
    }
    std::shuffle(order.begin(), order.end(), std::mt19937(1)); // NOLINT: the same order for all
    std::size_t next = 0;
    return run.repeated([&](std::size_t times) {
        for (std::size_t i = 0; i != times; ++i) {
            Library::fire(*order[next], static_cast<int>(i));
            next = next + 1 == count ? 0 : next + 1;
        }
    });
}

template <class Library>
double timeReconnection(const Run& run) {
    typename Library::Receiver receiver;
    typename Library::Sender sender;
    return run.repeated([&](std::size_t times) {
        for (std::size_t i = 0; i != times; ++i) {
            typename Library::Handle handle = Library::connect(sender, receiver);
            forgetMemory();
            Library::disconnect(sender, handle);
        }
    });
}

/// Receivers that 64 senders each are connected to, deleted.
template <class Library>
double timeDeath(const Run& run) {
    constexpr std::size_t connections = 64;
    constexpr std::size_t dying = 16;
    const Crowd<typename Library::Sender> senders = makeCrowd<typename Library::Sender>(connections * dying);
    Crowd<typename Library::Receiver> receivers;
    return run.batched(
        dying,
        [&] {
            receivers = makeCrowd<typename Library::Receiver>(dying);
            for (std::size_t i = 0; i != senders.size(); ++i)
                Library::connect(*senders[i], *receivers[i / connections]);
        },
        [&] {
            for (auto& each : receivers)
                each.reset();
        });
}

/// Heap that a connection takes when a signal has so many, over at least 4,096 of them: what libraries take in bulk is
/// shared out. To be asked of a program that has done nothing else.
template <class Library>
double connectionBytes(std::size_t connections) {
    const Crowd<typename Library::Receiver> receivers = makeCrowd<typename Library::Receiver>(64);
    const Crowd<typename Library::Sender> senders =
        makeCrowd<typename Library::Sender>((4096 + connections - 1) / connections);
    const std::size_t before = heapInUse();
    std::size_t made = 0;
    for (const auto& sender : senders) {
        for (std::size_t i = 0; i != connections; ++i, ++made)
            Library::connect(*sender, *receivers[made % receivers.size()]);
    }
    return static_cast<double>(heapInUse() - before) / static_cast<double>(made);
}

/// What a signal takes that nobody has connected to, be it in its own bytes or on the heap.
template <class Library>
double signalBytes() {
    constexpr std::size_t count = 1000;
    const std::size_t before = heapInUse();
    const auto unconnected = std::make_unique<typename Library::Signal[]>(count);
    return static_cast<double>((heapInUse() - before) / count);
}

template <class Library>
Cases emissionCases() {
    Cases cases{
        {"emit0", [](const Run& run) { return timeEmission<Library>(run, 0); }},
        {"emit1", [](const Run& run) { return timeEmission<Library>(run, 1); }},
        {"emit64", [](const Run& run) { return timeEmission<Library>(run, 64); }},
        {"cold", timeColdEmission<Library>},
        {"reconnect", timeReconnection<Library>},
    };
    if (Library::tracks)
        cases.push_back({"death", timeDeath<Library>});
    if constexpr (!std::is_void_v<typename Library::Signal>)
        cases.push_back({"signal_bytes", [](const Run&) { return signalBytes<Library>(); }});
    for (const std::size_t connections : std::initializer_list<std::size_t>{1, 2, 5, 64, 4096}) {
        cases.push_back({"bytes" + std::to_string(connections),
                         [connections](const Run&) { return connectionBytes<Library>(connections); }});
    }
    return cases;
}

} // namespace bench
