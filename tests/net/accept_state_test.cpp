// What StreamServer does about clients and about errors of accept(2), with an engine that follows a script.
#include "scripted_server.h"

#include <halyard/core/event_loop.h>

#include <logged.h>

#include <array>
#include <functional>
#include <system_error>
#include <utility>

using namespace halyard;
using namespace halyard::test;
using namespace std::chrono_literals;

namespace {

// Where two states hold at once, the later one of the name shows.
enum State : std::size_t { Closed, Running, Full, Error, User, FullUser, ErrorUser, FullError, states };

void bring(ScriptedServer& server, State to) {
    if (to == Closed)
        return;
    REQUIRE(server.listen());
    if (to == Error || to == ErrorUser || to == FullError)
        server.happens({EMFILE});
    if (to == Full || to == FullUser || to == FullError)
        server.queueOne();
    if (to == User || to == FullUser || to == ErrorUser)
        server.pauseAccepting();
    pumpIdle();
    server.script.clear();
}

char letterOf(AcceptState state) {
    switch (state) {
    case AcceptState::Closed:
        return 'C';
    case AcceptState::Running:
        return 'R';
    case AcceptState::Full:
        return 'F';
    case AcceptState::PausedByError:
        return 'E';
    case AcceptState::PausedByUser:
        return 'U';
    }
    return '?';
}

struct Row {
    const char* what;
    void (*happens)(ScriptedServer& server, ManualClock& clock);
    std::array<char, states + 1> next;
};

// The limit is one. The first line is what the states are called before anything happens.
//
//                                   Closed, Running, Full, Error, User, Full+User, Error+User, Full+Error
constexpr std::array table{
    Row{"nothing happens", [](ScriptedServer&, ManualClock&) {}, {"CRFEUUUE"}},
    Row{"a client comes", [](ScriptedServer& server, ManualClock&) { server.happens({guest}); }, {"CFFEUUUE"}},
    Row{"a client comes, and there is no descriptor",
        [](ScriptedServer& server, ManualClock&) { server.happens({EMFILE}); },
        {"CEFEUUUE"}},
    Row{"a client comes, and the listener is broken",
        [](ScriptedServer& server, ManualClock&) { server.happens({EINVAL}); },
        {"CEFEUUUE"}},
    Row{"a client gives up while it waits",
        [](ScriptedServer& server, ManualClock&) { server.happens({ECONNABORTED}); },
        {"CRFEUUUE"}},
    Row{"one is taken", [](ScriptedServer& server, ManualClock&) { server.nextPendingConnection(); }, {"CRREUUUE"}},
    Row{"the limit is raised",
        [](ScriptedServer& server, ManualClock&) { server.setMaxPendingConnections(2); },
        {"CRREUUUE"}},
    Row{"the limit is taken to nothing",
        [](ScriptedServer& server, ManualClock&) { server.setMaxPendingConnections(0); },
        {"CFFEUUUE"}},
    Row{"pauseAccepting()", [](ScriptedServer& server, ManualClock&) { server.pauseAccepting(); }, {"CUUUUUUU"}},
    Row{"resumeAccepting()", [](ScriptedServer& server, ManualClock&) { server.resumeAccepting(); }, {"CRFRRFRF"}},
    Row{"a second passes", [](ScriptedServer&, ManualClock& clock) { pass(clock, 1s); }, {"CRFRUUUF"}},
    Row{"a client comes, and a wait for it",
        [](ScriptedServer& server, ManualClock&) {
            server.happens({guest});
            server.waitForNewConnection();
        },
        {"CFFFUUUE"}},
    Row{"a wait finds nobody there",
        [](ScriptedServer& server, ManualClock&) { server.waitForNewConnection(); },
        {"CRFRUUUE"}},
    Row{"close()", [](ScriptedServer& server, ManualClock&) { server.close(); }, {"CCCCCCCC"}},
    Row{"listen()", [](ScriptedServer& server, ManualClock&) { server.listen(); }, {"RRFEUUUE"}},
};

} // namespace

TEST_CASE("each state of accepting goes where the table says, whatever happens") {
    Logged log;
    for (const Row& row : table)
        for (std::size_t state = 0; state != states; ++state) {
            CAPTURE(row.what);
            CAPTURE(state);
            ManualClock clock;
            ScriptedServer server;
            bring(server, static_cast<State>(state));
            row.happens(server, clock);
            CHECK(letterOf(server.acceptState()) == row.next[state]);
            const bool isRunning = server.acceptState() == AcceptState::Running;
            server.tries = 0;
            server.happens({ECONNABORTED}); // which only a server tries that accepts
            CHECK((server.tries != 0) == isRunning);
        }
}

TEST_CASE("two reasons to accept nobody have to end both, in any order") {
    Logged log;
    for (const bool errorFirst : {true, false}) {
        ManualClock clock;
        ScriptedServer server;
        bring(server, FullError);
        server.pauseAccepting();
        CHECK(server.acceptState() == AcceptState::PausedByUser);
        if (errorFirst)
            pass(clock, 1s);
        server.nextPendingConnection();
        CHECK(server.acceptState() == AcceptState::PausedByUser);
        if (!errorFirst)
            pass(clock, 1s);
        CHECK(server.acceptState() == AcceptState::PausedByUser);
        server.resumeAccepting();
        CHECK(server.acceptState() == AcceptState::Running);
    }
}

TEST_CASE("every errno of accept concerns one client, the system or the listener") {
    Logged log;
    for (const int cause : {EINTR, ECONNABORTED, EPROTO, EPERM, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH,
                            ENETUNREACH, ETIMEDOUT}) {
        CAPTURE(cause);
        ScriptedServer server;
        REQUIRE(server.listen());
        server.happens({cause, cause, guest});
        CHECK(server.announced == 1);
        CHECK(server.errors == 0);
        CHECK(server.serverError() == SocketError::None);
    }
    for (const int cause : {EMFILE, ENFILE, ENOBUFS, ENOMEM}) {
        CAPTURE(cause);
        ManualClock clock;
        ScriptedServer server;
        REQUIRE(server.listen());
        server.happens({cause});
        CHECK(server.errors == 1);
        CHECK(server.serverError() == SocketError::SocketResource);
        CHECK(server.errorString() == "cannot accept at the script: " + std::generic_category().message(cause));
        CHECK(server.isListening());
        server.script = {guest};
        pass(clock, 100ms);
        CHECK(server.announced == 1);
        CHECK(server.errors == 1);
    }
    for (const int cause : {EBADF, EINVAL, ENOTSOCK, EOPNOTSUPP, EFAULT}) {
        CAPTURE(cause);
        ManualClock clock;
        ScriptedServer server;
        REQUIRE(server.listen());
        server.happens({cause});
        CHECK(server.errors == 1);
        pass(clock, 1h);
        CHECK(server.tries == 1);
        bool timedOut = true;
        CHECK_FALSE(server.waitForNewConnection(-1, &timedOut)); // it will not become well by waiting
        CHECK_FALSE(timedOut);
        server.script = {guest};
        server.resumeAccepting();
        pumpIdle();
        CHECK(server.announced == 1);
        CHECK(server.errors == 1);
    }
}

TEST_CASE("an exhausted system is asked again after a tenth of a second, then ever later, up to a second") {
    Logged log;
    ManualClock clock;
    ScriptedServer server;
    REQUIRE(server.listen());
    server.happens({ENOMEM});
    CHECK(server.tries == 1);
    for (const auto pause : {100ms, 200ms, 400ms, 800ms, 1000ms, 1000ms}) {
        const int before = server.tries;
        pass(clock, pause - 1ms);
        CHECK(server.tries == before);
        pass(clock, 1ms);
        CHECK(server.tries == before + 1);
    }
    CHECK(server.errors == 1);
    CHECK(log.lines().size() == 1);
    // The next episode begins from the beginning.
    server.script = {guest};
    pass(clock, 1s);
    CHECK(server.announced == 1);
    server.nextPendingConnection();
    server.happens({ENOMEM});
    CHECK(server.errors == 2);
    CHECK(log.lines().empty()); // one that comes every so often shall not fill it
    const int before = server.tries;
    pass(clock, 100ms);
    CHECK(server.tries == before + 1);
}

TEST_CASE("the limit stops accepting at once: no client is taken out of the backlog beyond it") {
    ScriptedServer server(10);
    REQUIRE(server.listen());
    server.happens(std::vector<int>(1000, guest));
    CHECK(server.announced == 10);
    CHECK(server.tries == 10);
    CHECK(server.script.size() == 990);
}

TEST_CASE("a storm of clients is accepted by sixty-fours, and what else is ready has its turn between them") {
    ScriptedServer server(2000);
    REQUIRE(server.listen());
    std::vector<int> seen;
    const std::function<void()> look = [&] {
        seen.push_back(server.announced);
        if (server.announced != 1000)
            EventLoop::current()->post(look);
    };
    look();
    server.come(std::vector<int>(1000, guest));
    REQUIRE(pumpUntil([&] { return seen.back() == 1000; }));
    for (std::size_t i = 1; i != seen.size(); ++i)
        CHECK(seen[i] - seen[i - 1] <= 64);
    CHECK(server.tries == 1001); // and once to hear that there are no more
}

TEST_CASE("clients that give up by the thousand are gone through by sixty-fours too") {
    ScriptedServer server;
    REQUIRE(server.listen());
    server.come(std::vector<int>(1000, ECONNABORTED));
    while (server.tries == 0)
        EventLoop::current()->processEvents(patience());
    CHECK(server.tries <= 64);
    CHECK(pumpUntil([&] { return server.tries == 1001; }));
    CHECK(server.acceptState() == AcceptState::Running);
}

TEST_CASE("a wait ends after one round, however many come") {
    ScriptedServer server(2000);
    REQUIRE(server.listen());
    server.come(std::vector<int>(1000, guest));
    CHECK(server.waitForNewConnection(-1));
    CHECK(server.announced == 64);
}

TEST_CASE("a wait finds a connection that a slot of acceptError has queued") {
    Logged log;
    for (const int cause : {EMFILE, EINVAL}) {
        ScriptedServer server;
        REQUIRE(server.listen());
        server.acceptError.connect([&](SocketError) { server.queueOne(); });
        server.come({cause});
        CHECK(server.waitForNewConnection(-1));
    }
}

TEST_CASE("in a slot of acceptError the server may be closed, used and deleted, from the loop and in a wait") {
    Logged log;
    using Slot = void (*)(ScriptedServer * &server);
    for (const Slot slot : {
             Slot([](ScriptedServer*& server) { server->close(); }),
             Slot([](ScriptedServer*& server) { delete std::exchange(server, nullptr); }),
             Slot([](ScriptedServer*& server) { server->resumeAccepting(); }),
             Slot([](ScriptedServer*& server) { server->pauseAccepting(); }),
             Slot([](ScriptedServer*& server) { CHECK_FALSE(server->waitForNewConnection(0)); }),
             Slot([](ScriptedServer*& server) {
                 server->close();
                 server->script.clear();
                 CHECK(server->listen());
             }),
         })
        for (const bool waits : {false, true}) {
            auto* server = new ScriptedServer;
            int errors = 0;
            REQUIRE(server->listen());
            server->acceptError.connect([&] {
                ++errors;
                slot(server);
            });
            server->come({EMFILE});
            if (waits)
                CHECK_FALSE(server->waitForNewConnection(0));
            else
                pumpIdle();
            CHECK(errors == 1);
            delete server;
            pumpIdle();
        }
}
