#pragma once

#include "demand.h"

#include <halyard/signals/connection.h>

#include <deque>
#include <functional>
#include <vector>

namespace halyard::fuzz {

/// Connections between numbered objects, and all that may be said of the calls that come by them: who is called in an
/// emission, in which order, and what of it is queued.
class Wires {
  public:
    struct Wire {
        Connection handle;
        int from;
        int to;
        ConnectionType type = ConnectionType::Auto;
        bool isRelay = false;
        bool isMember = false;  ///< the slot is a member function
        bool isBlocked = false; ///< by its handle
        bool isAlive = true;
        bool isRevoked = false; ///< what is queued of it does not come any more

        bool isQueued() const noexcept { return (type & ConnectionType::Queued) && !(type & ConnectionType::Direct); }
        bool isRefused() const noexcept { return (type & ConnectionType::Queued) && (type & ConnectionType::Direct); }
    };

    /// One emission, while it lasts.
    struct Frame {
        int from;
        int value;
        std::vector<std::size_t> wires{}; ///< to be called, in order
        std::size_t passed = 0;           ///< so many of them have been
        bool isDropped = false;           ///< the signal has died
        int loops = 0;                    ///< that run around it
    };

    /// What waits in the loop's queue.
    struct Waiting {
        enum class Kind { Call, Event, Task } kind;
        int of; ///< the wire, or the object
        int value;
    };

    std::size_t size() const noexcept { return all_.size(); }
    Wire& operator[](std::size_t i) { return all_[i]; }

    /// Before the connecting, with what it gives set afterwards.
    std::size_t add(const Wire& wire) {
        all_.push_back(wire);
        return all_.size() - 1;
    }

    template <class Which>
    std::size_t count(Which which) const {
        return static_cast<std::size_t>(
            std::ranges::count_if(all_, [&](const Wire& each) { return each.isAlive && which(each); }));
    }

    /// Before they are disconnected: how many that will be.
    template <class Which>
    std::size_t cut(Which which) {
        std::size_t ended = 0;
        for (Wire& each : all_)
            if (each.isAlive && which(each)) {
                each.isAlive = false;
                each.isRevoked = true;
                ++ended;
            }
        return ended;
    }

    void objectDies(int object) {
        for (Wire& each : all_) {
            if (each.from == object || each.to == object)
                each.isAlive = false;
            if (each.to == object)
                each.isRevoked = true;
        }
        for (Frame* each : frames_)
            each->isDropped = each->isDropped || each->from == object;
        std::erase_if(waiting_,
                      [&](const Waiting& each) { return each.kind == Waiting::Kind::Event && each.of == object; });
    }

    // --- emissions ---

    void begins(Frame& frame, bool isSilenced) {
        for (std::size_t i = 0; i != all_.size() && !isSilenced; ++i)
            if (all_[i].isAlive && all_[i].from == frame.from)
                frame.wires.push_back(i);
        frame.loops = loops_;
        frames_.push_back(&frame);
    }

    /// In order.
    void ends(Frame& frame) {
        if (!frame.isDropped)
            passUntil(frame, frame.wires.size());
        leaves(frame);
    }

    /// In any way.
    void leaves(const Frame& frame) {
        demand(frames_.back() == &frame);
        frames_.pop_back();
    }

    /// A slot is called, by the innermost emission or by the loop: it is the next one.
    template <class Which>
    void isCalled(int value, Which which) {
        if (frames_.empty() || frames_.back()->loops != loops_) {
            forgetRevoked();
            demand(!waiting_.empty());
            const Waiting next = waiting_.front();
            waiting_.pop_front();
            demand(next.kind == Waiting::Kind::Call && next.value == value && which(static_cast<std::size_t>(next.of)));
            return;
        }
        Frame& frame = *frames_.back();
        demand(!frame.isDropped && frame.value == value);
        std::size_t place = frame.passed;
        while (place != frame.wires.size() && !(mayBeCalled(frame.wires[place]) && which(frame.wires[place])))
            ++place;
        demand(place != frame.wires.size());
        passUntil(frame, place);
        ++frame.passed;
        Wire& wire = all_[frame.wires[place]];
        if (wire.type & ConnectionType::SingleShot)
            wire.isAlive = false;
    }

    /// What runs the loop, in a slot too.
    template <class Run>
    void inLoop(Run run) {
        const Inside loop(loops_);
        run();
    }

    /// One of its emissions is under way. How far it has come is only known where it calls somebody.
    bool isEmitting(int object) const {
        return std::ranges::any_of(frames_, [=](const Frame* each) { return each->from == object; });
    }

    // --- the queue ---

    void queue(const Waiting& what) { waiting_.push_back(what); }

    /// What is no call comes in its turn.
    void arrives(Waiting::Kind kind, int of, int value) {
        forgetRevoked();
        demand(!waiting_.empty());
        const Waiting next = waiting_.front();
        waiting_.pop_front();
        demand(next.kind == kind && next.of == of && next.value == value);
    }

    bool isAnythingQueued() {
        forgetRevoked();
        return !waiting_.empty();
    }

    /// Whom a relay leads to is silent.
    std::function<bool(int)> isSilent;

  private:
    bool mayBeCalled(std::size_t i) const {
        const Wire& wire = all_[i];
        return wire.isAlive && !wire.isBlocked && !wire.isQueued() && !wire.isRefused();
    }

    /// Nobody who should have been called stands before `place`; who is queued is on his way.
    void passUntil(Frame& frame, std::size_t place) {
        for (; frame.passed != place; ++frame.passed) {
            const std::size_t i = frame.wires[frame.passed];
            Wire& wire = all_[i];
            if (!wire.isAlive || wire.isBlocked || wire.isRefused())
                continue;
            if (wire.isQueued()) {
                waiting_.push_back({Waiting::Kind::Call, static_cast<int>(i), frame.value});
                if (wire.type & ConnectionType::SingleShot)
                    wire.isAlive = false; // what it has queued still comes
                continue;
            }
            demand(wire.isRelay && isSilent(wire.to));
        }
    }

    void forgetRevoked() {
        while (!waiting_.empty() && waiting_.front().kind == Waiting::Kind::Call &&
               all_[static_cast<std::size_t>(waiting_.front().of)].isRevoked)
            waiting_.pop_front();
    }

    std::deque<Wire> all_;
    std::vector<Frame*> frames_;
    int loops_ = 0;
    std::deque<Waiting> waiting_;
};

} // namespace halyard::fuzz
