// What a program may do with objects, signals, timers and the loop's queue, from outside and in every slot, handler and
// functor's destructor: anything in any order, as the input says.
#include "script.h"
#include "wires.h"

#include <halyard/core/clock.h>
#include <halyard/core/event_loop.h>
#include <halyard/core/log.h>
#include <halyard/core/timer.h>

#include <array>
#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

using namespace halyard;
using namespace halyard::fuzz;
using namespace std::chrono_literals;

namespace {

class World;

struct Numbered : Event {
    static inline const int Type = Event::registerType();
    explicit Numbered(int number, bool isPosted) : Event(Type), number(number), isPosted(isPosted) {}
    int number;
    bool isPosted;
};

/// One of the objects, and what is known of it.
class Node : public Object {
  public:
    Node(World& world, int id) : id(id), world_(world) {
        timer.timeout.connect([this] { goesOff(); });
        relayed.connect([this](int value) { isRelayed(value); });
    }
    ~Node() override;

    void hear(int value);

    const int id;
    Signal<int> happened{this};
    Signal<int> relayed{this}; ///< where all relays lead, with one slot
    Timer timer;
    bool isTicking = false;
    Clock::time_point due;
    int ticks = 0;
    bool isToDie = false;
    std::vector<int> children{};

  protected:
    void customEvent(Event& event) override;
    void childEvent(ChildEvent& event) override;
    bool eventFilter(Object* watched, Event& event) override;

  private:
    void goesOff();
    void isRelayed(int value);

    World& world_;
};

class World {
  public:
    explicit World(std::string_view script) : script_(script) {
        wires_.isSilent = [this](int id) { return living_.at(id)->signalsBlocked(); };
        for (std::size_t i = 0; i != seats_.size(); ++i)
            sit(i);
    }
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    void run() {
        while (!script_.isOver()) {
            attempt([this] { doSomething(); });
            check();
        }
        settle();
    }

    ~World() {
        script_.withoutThrowing([this] {
            while (!living_.empty())
                kill(*living_.begin()->second);
        });
        EventLoop::current()->processEvents();
        demand(!wires_.isAnythingQueued());
    }

    // --- what is told ---

    /// A slot of the connection `wire`.
    void called(std::size_t wire, int value) {
        wires_.isCalled(value, [&](std::size_t each) { return each == wire; });
        act();
    }

    /// The member function, of which several connections may be.
    void heard(const Node& node, int value) {
        wires_.isCalled(value, [&](std::size_t each) { return wires_[each].isMember && wires_[each].to == node.id; });
        act();
    }

    void relayed(const Node& node, int value) {
        wires_.isCalled(value, [&](std::size_t i) { return wires_[i].isRelay && wires_[i].to == node.id; });
        act();
    }

    void comes(const Node& node, const Numbered& event) {
        if (event.isPosted && event.number > lastEvent_) {
            wires_.arrives(Wires::Waiting::Kind::Event, node.id, event.number);
            lastEvent_ = event.number;
        }
        act();
    }

    void ticks(Node& node) {
        demand(node.isTicking && Clock::now() >= node.due);
        ++node.ticks;
        if (node.timer.isSingleShot())
            node.isTicking = false;
        else
            node.due += node.timer.interval();
        demand(node.timer.isActive() == node.isTicking);
        act();
    }

    void dies(Node& node) {
        const int parent = parents_[node.id];
        const bool withParent = dying_.contains(parent);
        demand(node.isToDie || withParent);
        demand(living_.erase(node.id) == 1);
        for (Node*& each : seats_)
            if (each == &node)
                each = nullptr;
        if (!withParent && parent != -1)
            std::erase(living_.at(parent)->children, node.id);
        dying_.insert(node.id);
        ++halfDead_;
        wires_.objectDies(node.id);
    }

    void act() {
        script_.act([this] { doSomething(); });
    }
    void actInPeace() {
        script_.withoutThrowing([this] { act(); });
    }

    /// Where nobody may call anybody; and not at all while an object's connections end one by one.
    void actAtTheEndOfAFunctor() {
        if (halfDead_ != 0)
            return;
        const bool before = std::exchange(isEnding_, true);
        actInPeace();
        isEnding_ = before;
    }

    bool says() { return script_.says(); }

  private:
    template <class Action>
    void attempt(Action action) {
        try {
            action();
        } catch (const Thrown&) { // whatever was under way goes on in the next turn
        }
    }

    // --- what is done ---

    void doSomething() {
        const std::uint8_t what = script_.next() % 29;
        const std::uint8_t how = script_.next();
        if (what >= 22) {
            doToAll(what, how);
            return;
        }
        Node* const node = seats_[how % seats_.size()];
        if (node != nullptr)
            doTo(*node, what, how / seats_.size());
    }

    void doTo(Node& node, std::uint8_t what, std::size_t value) {
        Node* const other = seats_[value % seats_.size()];
        if (isEnding_ && what >= 3 && what <= 10 && wires_.isEmitting(node.id))
            return;
        const auto leadsTo = [&](const auto& wire) {
            return wire.from == node.id && wire.to == other->id && !wire.isRelay;
        };
        switch (what) {
        case 0:
        case 1:
        case 2:
            if (!isEnding_)
                emit(node);
            break;
        case 3:
        case 4:
        case 5:
        case 6:
            if (other != nullptr)
                connect(node, *other);
            break;
        case 7:
            if (other != nullptr) {
                const std::size_t ended = wires_.cut(leadsTo);
                demand(node.happened.disconnect(other) == ended);
            }
            break;
        case 8:
            if (other != nullptr) {
                const std::size_t ended = wires_.cut([&](const auto& wire) { return leadsTo(wire) && wire.isMember; });
                demand(node.happened.disconnect(other, &Node::hear) == ended);
            }
            break;
        case 9:
            wires_.cut([&](const auto& wire) { return wire.from == node.id; });
            node.happened.disconnectAll();
            break;
        case 10:
            if (other != nullptr) {
                const std::size_t ended = wires_.cut(leadsTo);
                demand(other->disconnectFrom(&node) == ended);
            }
            break;
        case 11:
            if (!isEnding_)
                script_.withoutThrowing([&] { kill(node); });
            break;
        case 12:
            node.isToDie = true;
            node.deleteLater();
            break;
        case 13:
            adopt(node, value % 7 == 6 ? nullptr : other);
            break;
        case 14:
            if (!isEnding_)
                node.blockSignals(value % 2 == 0);
            break;
        case 15:
            if (!isEnding_) {
                wires_.queue({Wires::Waiting::Kind::Event, node.id, ++number_});
                demand(Object::postEvent(&node, std::make_unique<Numbered>(number_, true)));
            }
            break;
        case 16:
            if (!isEnding_) {
                Numbered event(++number_, false);
                Object::sendEvent(&node, event);
            }
            break;
        case 17:
            node.isTicking = true;
            node.due = Clock::now() + std::chrono::milliseconds(value);
            demand(node.timer.start(std::chrono::milliseconds(value)));
            break;
        case 18:
            node.isTicking = false;
            node.timer.stop();
            break;
        case 19:
            node.timer.setSingleShot(value % 2 == 0);
            break;
        case 20:
            if (value % 2 == 0)
                node.installEventFilter(other);
            else
                node.removeEventFilter(other);
            break;
        case 21:
            if (!isEnding_)
                node.setObjectName(std::to_string(value % 4));
            break;
        default:
            break;
        }
    }

    void doToAll(std::uint8_t what, std::uint8_t how) {
        if (isEnding_ && what != 23 && what != 24)
            return;
        switch (what) {
        case 22:
            wires_.queue({Wires::Waiting::Kind::Task, 0, ++number_});
            EventLoop::current()->post([this, number = number_] {
                wires_.arrives(Wires::Waiting::Kind::Task, 0, number);
                act();
            });
            break;
        case 23:
            if (Wires::Wire* const wire = wireAt(how)) {
                const bool was = std::exchange(wire->isAlive, false);
                wire->isRevoked = wire->isRevoked || was;
                demand(wire->handle.disconnect() == was);
            }
            break;
        case 24:
            if (Wires::Wire* const wire = wireAt(how / 2)) {
                wire->isBlocked = how % 2 == 0;
                wire->handle.setBlocked(wire->isBlocked);
            }
            break;
        case 25:
            wires_.inLoop([] { EventLoop::current()->processEvents(); });
            break;
        case 26:
            wires_.inLoop([&] { clock_.advance(std::chrono::milliseconds(how % 64)); });
            break;
        case 27:
            script_.throwIfAllowed();
            break;
        default:
            if (seats_[how % seats_.size()] == nullptr)
                sit(how % seats_.size());
            break;
        }
    }

    /// Null where there is none that may be changed now.
    Wires::Wire* wireAt(std::size_t place) {
        if (wires_.size() == 0)
            return nullptr;
        Wires::Wire& wire = wires_[place % wires_.size()];
        return isEnding_ && wires_.isEmitting(wire.from) ? nullptr : &wire;
    }

    void sit(std::size_t place) {
        if (living_.size() == 20)
            return;
        auto* const node = new Node(*this, ++ids_);
        living_[node->id] = node;
        parents_[node->id] = -1;
        seats_[place] = node;
        guards_.emplace_back(node->id, node);
        node->destroyed.connect([this, id = node->id] {
            demand(dying_.contains(id));
            --halfDead_;
            actInPeace();
        });
        node->objectNameChanged.connect([this](const std::string& name) {
            const std::string before = name;
            act();
            demand(before == name);
        });
    }

    void kill(Node& node) {
        node.isToDie = true;
        delete &node;
    }

    void emit(Node& node) {
        Wires::Frame frame{.from = node.id, .value = ++number_};
        wires_.begins(frame, node.signalsBlocked());
        try {
            node.happened(frame.value);
        } catch (...) {
            wires_.leaves(frame);
            throw;
        }
        wires_.ends(frame);
    }

    /// What a slot holds, so that its end is noticed.
    struct Token {
        explicit Token(World& its) noexcept : world(&its) {}
        Token(const Token&) = delete;
        Token& operator=(const Token&) = delete;
        ~Token() { world->actAtTheEndOfAFunctor(); }
        World* world;
    };

    void connect(Node& from, Node& to) {
        if (wires_.size() == 60)
            return;
        const std::uint8_t how = script_.next();
        const auto way = static_cast<ConnectionType>(how % 4);
        const ConnectionType once = how / 4 % 4 == 0 ? ConnectionType::SingleShot : ConnectionType::Auto;
        const std::size_t place = wires_.add({.handle = {}, .from = from.id, .to = to.id, .type = way | once});
        Connection handle;
        switch (how / 16 % 4) {
        case 0: { // refused where there is one
            auto& wire = wires_[place];
            wire.isMember = true;
            const bool is = wires_.count([&](const auto& each) {
                return each.from == from.id && each.to == to.id && each.isMember;
            }) > 1; // this one counts
            const bool isUnique = how / 64 % 2 == 0;
            wire.isAlive = !is || !isUnique;
            handle = from.happened.connect(&to, &Node::hear,
                                           way | once | (isUnique ? ConnectionType::Unique : ConnectionType::Auto));
            break;
        }
        case 1:
            if (from.id == to.id || how / 64 == 0) {
                wires_[place].isRelay = true;
                wires_[place].type = ConnectionType::Auto;
                handle = from.happened.connect(to.relayed);
                break;
            }
            [[fallthrough]];
        case 2:
            handle = from.happened.connect(
                &to, [this, place, token = std::make_shared<Token>(*this)](int value) { called(place, value); },
                way | once);
            break;
        default: // nobody's
            wires_[place].to = -1;
            wires_[place].type = ConnectionType::Auto;
            handle = from.happened.connect([this, place](int value) { called(place, value); });
            break;
        }
        wires_[place].handle = handle;
        demand(handle.isConnected() == wires_[place].isAlive);
    }

    void adopt(Node& node, Node* parent) {
        for (int above = parent != nullptr ? parent->id : -1; above != -1; above = parents_[above])
            if (above == node.id)
                return node.setParent(parent); // refused
        if (const auto before = living_.find(parents_[node.id]); before != living_.end())
            std::erase(before->second->children, node.id);
        parents_[node.id] = parent != nullptr ? parent->id : -1;
        if (parent != nullptr)
            parent->children.push_back(node.id);
        node.setParent(parent);
    }

    // --- what must hold ---

    void check() {
        for (std::size_t i = 0; i != wires_.size(); ++i) {
            const auto& wire = wires_[i];
            demand(wire.handle.isConnected() == wire.isAlive);
            demand(!wire.isAlive || wire.handle.isBlocked() == wire.isBlocked);
        }
        for (const auto& [id, node] : living_) {
            demand(node->happened.connectionCount() ==
                   wires_.count([&, from = id](const auto& wire) { return wire.from == from; }));
            demand(node->timer.isActive() == node->isTicking);
            demand(std::ranges::equal(node->Object::children(), node->children, {},
                                      [](Object* each) { return static_cast<Node*>(each)->id; }));
        }
        for (const auto& [id, guard] : guards_)
            demand((guard != nullptr) == living_.contains(id));
    }

    /// Nobody does anything any more.
    void settle() {
        for (int turns = 0; wires_.isAnythingQueued() || turns < 4; ++turns) {
            EventLoop::current()->processEvents();
            demand(turns != 1000);
        }
        check();
        std::map<int, int> before;
        for (const auto& [id, node] : living_) {
            demand(!node->isToDie);
            before[id] = node->ticks;
        }
        const auto ticked = [&](const auto& each) {
            return !each.second->isTicking || each.second->ticks > before[each.first];
        };
        clock_.advance(100ms);
        demand(std::ranges::all_of(living_, ticked));
        check();
    }

    Script script_;
    ManualClock clock_;
    Wires wires_;
    std::map<int, Node*> living_;
    std::set<int> dying_;        ///< or dead
    std::map<int, int> parents_; ///< of those too; −1: nobody's child
    std::array<Node*, 5> seats_{};
    std::vector<std::pair<int, Pointer<Node>>> guards_;
    int ids_ = 0;
    int number_ = 0;
    int lastEvent_ = 0;
    int halfDead_ = 0;      ///< objects between their destructor and destroyed
    bool isEnding_ = false; ///< a functor
};

Node::~Node() { world_.dies(*this); }

void Node::hear(int value) { world_.heard(*this, value); }

void Node::isRelayed(int value) { world_.relayed(*this, value); }

void Node::goesOff() { world_.ticks(*this); }

void Node::customEvent(Event& event) { world_.comes(*this, static_cast<Numbered&>(event)); }

void Node::childEvent(ChildEvent&) { world_.actInPeace(); }

bool Node::eventFilter(Object* watched, Event& event) {
    World& world = world_;
    if (event.type() != Numbered::Type)
        return false;
    world.comes(static_cast<Node&>(*watched), static_cast<Numbered&>(event));
    return world.says();
}

} // namespace

/// What is made once and kept.
extern "C" int LLVMFuzzerInitialize(int*, char***) {
    setLogSink([](LogLevel, std::string_view, std::string_view) {});
    EventLoop::current()->processEvents();
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    World world(textOf(data, size));
    world.run();
    return 0;
}
