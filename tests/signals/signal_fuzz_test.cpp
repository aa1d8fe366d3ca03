#include <halyard/signals/signal.h>

#include "manual_executor.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

// A model of the signals, so simple that it is obviously right, runs beside the real ones. Random operations
// are done to both, outside and inside of slots; whenever a real slot is called, the model says which one it
// had to be.

using namespace halyard;

namespace {

static_assert(std::is_nothrow_move_constructible_v<ScopedConnection>);

struct Thrown {};

struct ModelSignal;

/// What the model knows of one connection.
struct Link {
    int id = 0;
    ModelSignal* signal = nullptr; ///< null once it has ended
    int receiver = -1;             ///< the serial number of the receiver, if it has one
    int member = -1;               ///< which member function it calls, if it calls one
    ModelSignal* relay = nullptr;  ///< the signal that it feeds, if it is a relay
    bool counted = false;          ///< its functor counts
    bool queued = false;
    bool blocked = false;
    bool revoked = false; ///< its queued calls are taken back
    Connection handle;
};
using LinkPtr = std::shared_ptr<Link>;

struct ModelSignal {
    std::vector<LinkPtr> links; ///< connected ones, in order
    bool silenced = false;
};

struct PostedCall {
    LinkPtr link;
    int value;
};

/// An emission on its way, or a queued call that runs.
struct Frame {
    std::vector<LinkPtr> links; ///< those that there were when it began
    std::size_t at = 0;
    int value = 0;
    bool relayed = false; ///< begun by the model, for a relay
    bool posted = false;
    bool passedRelay = false;
};

class World;

struct Sender : Tracked {
    using Tracked::setSignalsBlocked;
    Signal<int> changed{this};
};

struct Receiver : Tracked {
    Receiver(World& its, int number) : world(its), serial(number) {}
    void first(int value);
    void second(int value) const;
    virtual ~Receiver() = default;
    virtual void third(int value);
    void none();
    World& world;
    int serial;
};

/// A functor that is too big for a Link.
class CountedSlot {
  public:
    CountedSlot(World& world, int id) : world_(&world), id_(id), word_(std::to_string(id)) { ++alive; }
    CountedSlot(CountedSlot&& other) noexcept
        : world_(std::exchange(other.world_, nullptr)), id_(other.id_), word_(std::move(other.word_)) {
        ++alive;
    }
    CountedSlot& operator=(CountedSlot&&) = delete;
    ~CountedSlot();
    void operator()(int value);

    static inline std::size_t alive = 0;

  private:
    World* world_;
    int id_;
    std::string word_;
};

class World {
  public:
    explicit World(std::uint32_t seed) : random_(seed) {}
    ~World() { quiet_ = true; }

    void run(int operations) {
        for (int i = 0; i != operations && broken_.empty(); ++i) {
            budget_ = 40;
            operate(false);
            check();
        }
        clear();
    }
    const std::string& broken() const { return broken_; }
    long operations() const { return operations_; }
    long calls() const { return calls_; }

    /// Every real slot reports here.
    void called(int id, int receiver, int member, int value) {
        ++calls_;
        const LinkPtr link = advance();
        if (link == nullptr)
            return expect(false, "a slot ran that had not to");
        Frame& frame = frames_.back();
        ++frame.at;
        expect(link->id == id || id < 0, "another slot had its turn");
        expect(link->receiver == receiver || receiver < 0, "another receiver had its turn");
        expect(link->member == member, "another member function had its turn");
        expect(frame.value == value || value < 0, "a slot was given a wrong value");
        const std::size_t depth = frames_.size();
        for (std::uint32_t n = pick(4); n-- != 0 && depth < 7;)
            operate(true);
        if (budget_ > 0 && chance(40))
            throw Thrown();
        advance();
    }

    /// The destructor of a functor may do anything as well.
    void functorEnds() noexcept {
        if (quiet_ || inFunctor_ || !broken_.empty() || !chance(3) || frames_.size() > 6)
            return;
        // The model does not see when exactly a walk behind a relay tidies up.
        for (const Frame& each : frames_)
            if (each.passedRelay)
                return;
        inFunctor_ = true;
        try {
            operate(true);
        } catch (const Thrown&) {
        }
        inFunctor_ = false;
    }

  private:
    static constexpr std::size_t senders = 4;
    static constexpr std::size_t receivers = 5;

    std::uint32_t pick(std::uint32_t below) { return static_cast<std::uint32_t>(random_() % below); }
    bool chance(std::uint32_t oneIn) { return pick(oneIn) == 0; }

    void expect(bool right, const char* what) {
        if (!right && broken_.empty())
            broken_ = std::string(what) + " (operation " + std::to_string(operations_) + ")";
    }

    // The model.

    /// Moves on to the next direct slot that has to be called; what is queued on the way is posted, and
    /// relays are entered. Null when the emission that runs now is over.
    LinkPtr advance() {
        while (!frames_.empty()) {
            Frame& frame = frames_.back();
            if (frame.at == frame.links.size()) {
                if (!frame.relayed)
                    return nullptr;
                frames_.pop_back();
                continue;
            }
            const LinkPtr link = frame.links[frame.at];
            if (frame.posted) {
                if (!link->revoked)
                    return link;
                ++frame.at;
            } else if (link->signal == nullptr || link->blocked) {
                ++frame.at;
            } else if (link->relay != nullptr) {
                ++frame.at;
                for (Frame& each : frames_)
                    each.passedRelay = true;
                begin(*link->relay, frame.value, true);
            } else if (link->queued) {
                ++frame.at;
                posted_.push_back({link, frame.value});
            } else {
                return link;
            }
        }
        return nullptr;
    }

    void begin(ModelSignal& signal, int value, bool relayed) {
        Frame frame;
        if (!signal.silenced)
            frame.links = signal.links;
        frame.value = value;
        frame.relayed = relayed;
        frame.passedRelay = relayed;
        frames_.push_back(std::move(frame));
    }

    void end(const LinkPtr& link, bool revoke) {
        if (link->signal != nullptr)
            std::erase(link->signal->links, link);
        link->signal = nullptr;
        link->revoked = link->revoked || revoke;
    }

    template <class Matches>
    std::size_t endWhere(ModelSignal& signal, Matches matches) {
        const std::vector<LinkPtr> before = signal.links;
        std::size_t count = 0;
        for (const LinkPtr& each : before) {
            if (matches(*each)) {
                end(each, true);
                ++count;
            }
        }
        return count;
    }

    // The operations, on model and reality.

    void operate(bool inSlot) {
        if (budget_-- <= 0 || !broken_.empty())
            return;
        ++operations_;
        switch (pick(27)) {
        case 0:
        case 1:
        case 2:
        case 3:
        case 4:
        case 5:
        case 6:
            return connect();
        case 7:
            return connectRelay();
        case 8:
        case 9:
        case 10:
            return disconnectHandle();
        case 11:
            return disconnectReceiver();
        case 12:
            return disconnectMember();
        case 13:
            return chance(4) ? disconnectAll() : block();
        case 14:
            return block();
        case 15:
            return silence();
        case 16:
            return remakeReceiver();
        case 17:
            return chance(2) ? remakeSender() : block();
        case 18:
        case 19:
            return runTask(inSlot);
        case 20:
            return chance(3) ? dropTask() : runTask(inSlot);
        default:
            return emitSignal(inSlot);
        }
    }

    std::size_t anySender() { return pick(senders); }
    std::size_t anyReceiver() { return pick(receivers); }

    void connect() {
        const std::size_t from = anySender();
        if (senders_[from] == nullptr || models_[from]->links.size() > 18)
            return remakeSender();
        Signal<int>& s = senders_[from]->changed;
        auto link = std::make_shared<Link>();
        link->id = nextId_++;
        const int id = link->id;
        Receiver* const receiver = receivers_[anyReceiver()].get();
        link->queued = receiver != nullptr && chance(4);
        const auto type = link->queued ? ConnectionType::Queued : ConnectionType::Auto;
        const std::uint32_t kind = pick(receiver != nullptr ? 8 : 3);
        if (kind >= 3)
            link->receiver = receiver->serial;
        else
            link->queued = false;
        switch (kind) {
        case 0:
            link->handle = s.connect([this, id](int value) { called(id, -1, -1, value); });
            break;
        case 1:
        case 2:
            link->counted = true;
            link->handle = s.connect(CountedSlot(*this, id));
            break;
        case 3:
            link->handle = s.connect(
                receiver, [this, id](int value) { called(id, -1, -1, value); }, type);
            break;
        case 4:
            link->counted = true;
            link->handle = s.connect(receiver, CountedSlot(*this, id), type);
            break;
        default:
            link->member = static_cast<int>(pick(4));
            switch (link->member) {
            case 0:
                link->handle = s.connect(receiver, &Receiver::first, type);
                break;
            case 1:
                link->handle = s.connect(receiver, &Receiver::second, type);
                break;
            case 2:
                link->handle = s.connect(receiver, &Receiver::third, type);
                break;
            default:
                link->handle = s.connect(receiver, &Receiver::none, type);
                break;
            }
        }
        keep(link, from);
    }

    void connectRelay() {
        const std::size_t from = anySender();
        const std::size_t to = anySender();
        if (from >= to || senders_[from] == nullptr || senders_[to] == nullptr || models_[from]->links.size() > 18)
            return;
        auto link = std::make_shared<Link>();
        link->id = nextId_++;
        link->relay = models_[to].get();
        link->handle = senders_[from]->changed.connect(senders_[to]->changed);
        keep(link, from);
    }

    void keep(const LinkPtr& link, std::size_t from) {
        expect(link->handle.isConnected(), "a new connection is not connected");
        link->signal = models_[from].get();
        link->signal->links.push_back(link);
        if (links_.size() < 64)
            links_.push_back(link);
        else
            links_[pick(64)] = link;
    }

    LinkPtr anyLink() { return links_.empty() ? nullptr : links_[pick(static_cast<std::uint32_t>(links_.size()))]; }

    void disconnectHandle() {
        const LinkPtr link = anyLink();
        if (link == nullptr)
            return;
        const bool was = link->signal != nullptr;
        if (was)
            end(link, true);
        expect(link->handle.disconnect() == was, "disconnect() of a handle gave a wrong answer");
        expect(!link->handle.isConnected(), "a disconnected handle is connected");
    }

    void disconnectReceiver() {
        const std::size_t from = anySender();
        const Receiver* const receiver = receivers_[anyReceiver()].get();
        if (senders_[from] == nullptr || receiver == nullptr)
            return;
        const int serial = receiver->serial;
        const std::size_t count = endWhere(*models_[from], [=](const Link& l) { return l.receiver == serial; });
        expect(senders_[from]->changed.disconnect(receiver) == count, "disconnect(receiver) counted wrong");
    }

    void disconnectMember() {
        const std::size_t from = anySender();
        Receiver* const receiver = receivers_[anyReceiver()].get();
        if (senders_[from] == nullptr || receiver == nullptr)
            return;
        const int member = static_cast<int>(pick(4));
        const int serial = receiver->serial;
        const std::size_t count =
            endWhere(*models_[from], [=](const Link& l) { return l.receiver == serial && l.member == member; });
        Signal<int>& s = senders_[from]->changed;
        const std::size_t ended = member == 0   ? s.disconnect(receiver, &Receiver::first)
                                  : member == 1 ? s.disconnect(receiver, &Receiver::second)
                                  : member == 2 ? s.disconnect(receiver, &Receiver::third)
                                                : s.disconnect(receiver, &Receiver::none);
        expect(ended == count, "disconnect(receiver, slot) counted wrong");
    }

    void disconnectAll() {
        const std::size_t from = anySender();
        if (senders_[from] == nullptr)
            return;
        endWhere(*models_[from], [](const Link&) { return true; });
        senders_[from]->changed.disconnectAll();
    }

    void block() {
        const LinkPtr link = anyLink();
        if (link == nullptr)
            return;
        const bool blocked = chance(2);
        link->handle.setBlocked(blocked);
        if (link->signal != nullptr)
            link->blocked = blocked;
        expect(link->handle.isBlocked() == (link->signal != nullptr && blocked), "isBlocked() gave a wrong answer");
    }

    void silence() {
        const std::size_t from = anySender();
        if (senders_[from] == nullptr)
            return;
        models_[from]->silenced = chance(3);
        senders_[from]->setSignalsBlocked(models_[from]->silenced);
    }

    /// Deletes a receiver, or makes one where there is none.
    void remakeReceiver() {
        std::unique_ptr<Receiver>& place = receivers_[anyReceiver()];
        if (place == nullptr) {
            place = std::make_unique<Receiver>(*this, nextSerial_++);
            return;
        }
        for (const std::unique_ptr<ModelSignal>& each : models_)
            if (each != nullptr)
                endWhere(*each, [&](const Link& l) { return l.receiver == place->serial; });
        for (const PostedCall& each : posted_)
            if (each.link->receiver == place->serial)
                each.link->revoked = true;
        for (const Frame& frame : frames_)
            for (const LinkPtr& each : frame.links)
                if (each->receiver == place->serial)
                    each->revoked = true;
        // Its connections end one by one: what a functor's destructor found meanwhile, the model would not
        // know.
        const bool before = std::exchange(quiet_, true);
        std::unique_ptr<Receiver> gone = std::move(place);
        gone.reset();
        quiet_ = before;
    }

    /// Deletes a sender with its signal, or makes one where there is none.
    void remakeSender() {
        const std::size_t which = anySender();
        if (senders_[which] == nullptr) {
            senders_[which] = std::make_unique<Sender>();
            models_[which] = std::make_unique<ModelSignal>();
            return;
        }
        const std::vector<LinkPtr> mine = models_[which]->links;
        for (const LinkPtr& each : mine)
            end(each, false);
        for (const std::unique_ptr<ModelSignal>& each : models_)
            if (each != nullptr)
                endWhere(*each, [&](const Link& l) { return l.relay == models_[which].get(); });
        graveyard_.push_back(std::move(models_[which])); // frames may still point at it
        std::unique_ptr<Sender> gone = std::move(senders_[which]);
        gone.reset();
    }

    void runTask(bool inSlot) {
        executor_.runNotices(); // they may end functors, which do what they like
        expect(posted_.size() == executor_.waiting(), "the queue has a wrong length");
        if (posted_.empty() || !broken_.empty())
            return;
        PostedCall call = std::move(posted_.front());
        posted_.pop_front();
        Frame frame;
        frame.links.push_back(std::move(call.link));
        frame.value = call.value;
        frame.posted = true;
        const std::size_t base = frames_.size();
        frames_.push_back(std::move(frame));
        guarded(base, inSlot, [this] { executor_.runOne(); });
    }

    void dropTask() {
        executor_.runNotices();
        if (posted_.empty())
            return;
        posted_.pop_front();
        executor_.dropOne();
    }

    void emitSignal(bool inSlot) {
        const std::size_t from = anySender();
        if (senders_[from] == nullptr)
            return;
        const int value = nextValue_++;
        const std::size_t base = frames_.size();
        begin(*models_[from], value, false);
        advance();
        Signal<int>& s = senders_[from]->changed;
        guarded(base, inSlot, [&] { s(value); });
    }

    template <class Action>
    void guarded(std::size_t base, bool inSlot, Action action) {
        try {
            action();
        } catch (const Thrown&) {
            frames_.resize(base);
            if (inSlot && chance(2))
                throw;
            return;
        }
        expect(advance() == nullptr, "a slot did not run that had to");
        expect(frames_.size() == base + 1, "the model lost its place");
        frames_.resize(base);
    }

    void check() {
        for (std::size_t i = 0; i != senders; ++i)
            if (senders_[i] != nullptr)
                expect(senders_[i]->changed.connectionCount() == models_[i]->links.size(),
                       "connectionCount() is wrong");
        for (const LinkPtr& each : links_) {
            expect(each->handle.isConnected() == (each->signal != nullptr), "isConnected() is wrong");
            expect(each->handle.isBlocked() == (each->signal != nullptr && each->blocked), "isBlocked() is wrong");
        }
        expect(frames_.empty(), "an emission is left over");
        expect(posted_.size() == executor_.waiting(), "the queue has a wrong length");
        graveyard_.clear();
        if (!posted_.empty())
            return;
        executor_.runNotices();
        std::size_t counted = 0;
        for (const std::unique_ptr<ModelSignal>& each : models_)
            if (each != nullptr)
                for (const LinkPtr& link : each->links)
                    counted += link->counted ? 1 : 0;
        expect(CountedSlot::alive == counted, "a functor was forgotten, or destroyed twice");
    }

    void clear() {
        quiet_ = true;
        const bool receiversFirst = chance(2);
        if (receiversFirst)
            receivers_ = {};
        senders_ = {};
        receivers_ = {};
        executor_.dropAll();
        expect(CountedSlot::alive == 0, "a functor outlived everything");
    }

    std::mt19937 random_;
    ManualExecutor executor_;
    std::array<std::unique_ptr<Sender>, senders> senders_;
    std::array<std::unique_ptr<Receiver>, receivers> receivers_;

    std::array<std::unique_ptr<ModelSignal>, senders> models_;
    std::vector<std::unique_ptr<ModelSignal>> graveyard_;
    std::vector<LinkPtr> links_; ///< some of all there ever were
    std::deque<PostedCall> posted_;
    std::vector<Frame> frames_;

    std::string broken_;
    int nextId_ = 0;
    int nextSerial_ = 0;
    int nextValue_ = 0;
    int budget_ = 0;
    bool quiet_ = false;
    bool inFunctor_ = false;
    long operations_ = 0;
    long calls_ = 0;
};

// A member function may delete its object: nothing of it is touched after the report.
void Receiver::first(int value) { world.called(-1, serial, 0, value); }
void Receiver::second(int value) const { world.called(-1, serial, 1, value); }
void Receiver::third(int value) { world.called(-1, serial, 2, value); }
void Receiver::none() { world.called(-1, serial, 3, -1); }

CountedSlot::~CountedSlot() {
    --alive;
    if (world_ != nullptr)
        world_->functorEnds();
}

void CountedSlot::operator()(int value) {
    struct StillHere {
        const CountedSlot& slot;
        ~StillHere() { CHECK(slot.word_ == std::to_string(slot.id_)); }
    };
    const StillHere afterwards{*this};
    world_->called(id_, -1, -1, value);
}

int rounds() {
    // HALYARD_FUZZ_ROUNDS: how many rounds instead of the usual number.
    const char* const given = std::getenv("HALYARD_FUZZ_ROUNDS");
    return given != nullptr ? std::atoi(given) : 50;
}

} // namespace

TEST_CASE("random operations inside and outside of slots call exactly what the model calls") {
    long operations = 0;
    long calls = 0;
    for (int round = 0; round != rounds(); ++round) {
        World world(static_cast<std::uint32_t>(round) + 1);
        world.run(2500);
        CAPTURE(round);
        REQUIRE_MESSAGE(world.broken().empty(), world.broken());
        operations += world.operations();
        calls += world.calls();
    }
    MESSAGE(operations, " operations, ", calls, " slot calls");
}
