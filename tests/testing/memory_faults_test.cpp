// Each allocation of a conversation fails once. In processes of their own, for one that may not throw ends the program.
#include "../net/tcp_pair.h"
#include "child.h"
#include "echo_scenario.h"
#include "proxy_scenario.h"
#include "relay_scenario.h"
#include "task_scenario.h"

#include <plain_socket.h>

#include <halyard/core/thread.h>
#include <halyard/core/timer.h>
#include <halyard/net/connection_limits.h>
#include <halyard/net/host_lookup.h>
#include <halyard/net/pooled_server.h>
#include <halyard/net/proxy_protocol_server.h>
#include <halyard/net/tcp_server.h>
#include <halyard/net/worker_pool.h>

#include <doctest/doctest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

using namespace halyard;
using namespace halyard::test;
using namespace halyard::testing;

namespace {

enum Ending {
    Well = 0,
    Wrongly = 10,
    ByException = 11,
    nothingFailed = 13,
};

/// A conversation, and when memory is to be had again another one, which must go well.
template <class Conversation>
int converseTwice(std::uint64_t n, Conversation conversation, const std::string& message) {
    EventLoop::current(); // of a new thread, which has no memory in store
    const std::ptrdiff_t before = descriptors();
    Outcome outcome;
    bool threw = false;
    {
        Faults faults;
        faults.fail(Call::Allocate, ENOMEM, When::nth(n));
        try {
            outcome = conversation(message);
        } catch (const std::bad_alloc&) {
            threw = true;
        }
        if (faults.injected() == 0)
            return Well;
    }
    if (!threw && (!outcome.ended || !message.starts_with(outcome.received) || !message.starts_with(outcome.echoed) ||
                   (!outcome.isComplete(message) && outcome.errors.empty())))
        return Wrongly;
    if (!conversation(message).isComplete(message) || !pumpUntil([&] { return descriptors() == before; }))
        return Wrongly;
    return threw ? ByException : Well;
}

/// How each allocation that fails ends, and how often.
template <class Conversation>
std::map<int, int> endingsOf(Conversation conversation, std::size_t size = 600'000) {
    conversation(pattern(1000));
    std::uint64_t calls = 0;
    std::thread([&] {
        EventLoop::current();
        const Faults counter;
        conversation(pattern(size));
        calls = counter.calls(Call::Allocate);
    }).join();
    std::map<int, int> endings;
    for (std::uint64_t n = 1; n <= calls; ++n) {
        CAPTURE(n);
        const int ending = inChild([&] {
            int result = Wrongly;
            std::thread([&] { result = converseTwice(n, conversation, pattern(size)); }).join();
            return result;
        });
        ++endings[ending];
        CHECK((ending == Well || ending == ByException || ending == byTerminate));
    }
    MESSAGE(calls, " allocations: ", endings[Well], " made up for, ", endings[ByException], " told by exception, ",
            endings[byTerminate], " end the program");
    return endings;
}

} // namespace

TEST_CASE("an allocation that fails leaves as std::bad_alloc, and the library as it was") {
    CHECK(endingsOf(converse)[byTerminate] == 0);
}

TEST_CASE("on the way by a proxy it does so too, or is the socket's error") {
    for (const bool isSocks : {true, false})
        CHECK(endingsOf([&](const std::string& message) {
                  return converseByProxy(message, isSocks, !isSocks);
              })[byTerminate] == 0);
}

TEST_CASE("a relay and its bytes, and tasks, come to an end when an allocation fails") {
    CHECK(endingsOf(converseByRelay, 2'000'000)[byTerminate] == 0);
    CHECK(endingsOf(converseByTasks)[byTerminate] == 0);
}

TEST_CASE("a write that finds no memory writes nothing, and the next one goes out as it is") {
    for (std::uint64_t n = 1; n != 12; ++n) {
        CAPTURE(n);
        CHECK(inChild([n] {
                  TcpPair pair;
                  std::string got;
                  pair.far->readyRead.connect([&] { got += pair.far->readAll(); });
                  std::string expected;
                  expected.reserve(4'000'000);
                  const auto write = [&](const std::string& text) {
                      try {
                          pair.near->write(text);
                          expected += text;
                      } catch (const std::bad_alloc&) {
                      }
                  };
                  const std::string much = pattern(3'000'000);
                  EventLoop::current()->post([&] { // in a slot: all of it is queued
                      write("first ");
                      {
                          Faults faults;
                          faults.fail(Call::Allocate, ENOMEM, When::nth(n));
                          write(much);
                      }
                      write(" last");
                  });
                  return pumpUntil([&] { return !expected.empty() && got.size() >= expected.size(); }) &&
                                 got == expected
                             ? Well
                             : Wrongly;
              }) == Well);
    }
}

TEST_CASE("a write outside of slots that finds no memory for what the kernel leaves is the end of the connection") {
    int broken = 0;
    for (std::uint64_t n = 1; n != 12; ++n) {
        CAPTURE(n);
        const int ending = inChild([n] {
            TcpPair pair;
            pair.near->setWriteTimeout(std::chrono::seconds(100));
            std::string got;
            pair.far->readyRead.connect([&] { got += pair.far->readAll(); });
            const std::string much = pattern(9'000'000);
            std::string expected;
            expected.reserve(10'000'000);
            const auto write = [&](const std::string& text) {
                try {
                    pair.near->write(text);
                    expected += text;
                } catch (const std::bad_alloc&) {
                }
            };
            {
                Faults faults;
                faults.fail(Call::Allocate, ENOMEM, When::nth(n));
                write(much);
            }
            write(" last");
            const auto isOver = [&] { return pair.far->state() == SocketState::Unconnected; };
            if (!pumpUntil([&] { return isOver() || got == expected; }))
                return Wrongly;
            if (isOver())
                return pair.near->error() == SocketError::SocketResource && pair.near->hasLostOutput() &&
                               much.starts_with(got)
                           ? ByException
                           : Wrongly;
            return got == expected ? Well : Wrongly;
        });
        CAPTURE(ending);
        CHECK((ending == Well || ending == ByException));
        broken += ending == ByException ? 1 : 0;
    }
    CHECK(broken != 0);
}

TEST_CASE("a descriptor for whose socket there is no memory stays the caller's") {
    CHECK(inChild([] {
              const PlainSocket listener = PlainSocket::listening();
              for (std::uint64_t n = 1; n != 12; ++n) {
                  const PlainSocket client = PlainSocket::connectedTo(listener.port());
                  PlainSocket accepted = listener.accept();
                  TcpSocket socket;
                  socket.setReadTimeout(std::chrono::seconds(100));
                  bool adopted = false;
                  {
                      Faults faults;
                      faults.fail(Call::Allocate, ENOMEM, When::nth(n));
                      try {
                          adopted = socket.setSocketDescriptor(accepted.descriptor());
                      } catch (const std::bad_alloc&) {
                      }
                  }
                  if (adopted) {
                      accepted.release();
                      continue;
                  }
                  if (socket.state() != SocketState::Unconnected || socket.socketDescriptor() != -1 ||
                      !socket.setSocketDescriptor(accepted.descriptor()))
                      return Wrongly;
                  accepted.release();
              }
              return Well;
          }) == Well);
}

TEST_CASE("files that find no memory are not queued, and those before and after them go out in their order") {
    const std::string content = pattern(1000);
    const PlainSocket file(::memfd_create("content", MFD_CLOEXEC)); // any descriptor closes itself in one
    REQUIRE(::pwrite(file.descriptor(), content.data(), content.size(), 0) == 1000);
    for (std::uint64_t n = 1; n != 40; ++n) {
        CAPTURE(n);
        CHECK(inChild([&] {
                  TcpPair pair;
                  std::string got;
                  pair.far->readyRead.connect([&] { got += pair.far->readAll(); });
                  std::string expected;
                  expected.reserve(2000);
                  EventLoop::current()->post([&] {
                      Faults faults;
                      faults.fail(Call::Allocate, ENOMEM, When::nth(n));
                      for (int i = 0; i != 30; ++i) {
                          const std::string text = std::to_string(i);
                          try {
                              pair.near->write(text);
                              expected += text;
                              if (pair.near->sendFile(file.descriptor(), i, 10))
                                  expected += content.substr(static_cast<std::size_t>(i), 10);
                          } catch (const std::bad_alloc&) {
                          }
                      }
                  });
                  return pumpUntil([&] { return !expected.empty() && got.size() >= expected.size(); }) &&
                                 got == expected
                             ? Well
                             : Wrongly;
              }) == Well);
    }
}

TEST_CASE("a connection whose peer is to be heard out ends at once where there is no memory for that") {
    for (std::uint64_t n = 1; n != 8; ++n) {
        CAPTURE(n);
        CHECK(inChild([n] {
                  TcpPair pair;
                  pair.near->pauseReading();
                  pair.far->write("what nobody reads");
                  pumpIdle();
                  {
                      Faults faults;
                      faults.fail(Call::Allocate, ENOMEM, When::nth(n));
                      try {
                          pair.near->disconnectFromHost();
                      } catch (const std::bad_alloc&) {
                      }
                  }
                  pair.near->write("to nobody");
                  pair.near->abort();
                  return pair.near->state() == SocketState::Unconnected &&
                                 pumpUntil([&] { return pair.far->state() == SocketState::Unconnected; })
                             ? Well
                             : Wrongly;
              }) == Well);
    }
}

TEST_CASE("a client for whose count there is no memory is closed, and the next one is served") {
    CHECK(inChild([] {
              TcpServer server;
              server.setLimits(std::make_shared<ConnectionLimits>(10, 5));
              if (!server.listen(HostAddress::LocalHost))
                  return Wrongly;
              const std::ptrdiff_t before = descriptors();
              for (std::uint64_t n = 1; n != 12; ++n) {
                  const PlainSocket client = PlainSocket::connectedTo(server.serverPort());
                  {
                      Faults faults;
                      faults.fail(Call::Allocate, ENOMEM, When::nth(n));
                      try {
                          for (int i = 0; i != 10; ++i)
                              EventLoop::current()->processEvents(std::chrono::milliseconds(1));
                      } catch (const std::bad_alloc&) {
                      }
                  }
                  pumpIdle();
                  while (TcpSocket* const socket = server.nextPendingConnection())
                      delete socket;
              }
              return pumpUntil([&] { return descriptors() == before; }) && server.limits()->connections() == 0
                         ? Well
                         : Wrongly;
          }) == Well);
}

TEST_CASE("a client for whose way to a worker, or whose header, there is no memory is closed, and its place is free") {
    for (const bool pooled : {true, false}) {
        CAPTURE(pooled);
        CHECK(inChild([pooled] {
                  std::unique_ptr<WorkerPool> pool;
                  std::unique_ptr<TcpServer> server;
                  if (pooled) {
                      pool = std::make_unique<WorkerPool>(1);
                      server = std::make_unique<PooledServer>(
                          *pool, [](TcpSocket* client) { client->disconnected.connect(client, &Object::deleteLater); });
                  } else {
                      auto balanced = std::make_unique<ProxyProtocolServer>();
                      balanced->trust(HostAddress::LocalHost, 32);
                      balanced->setMaxAwaitedHeaders(1);
                      server = std::move(balanced);
                  }
                  const auto limits = std::make_shared<ConnectionLimits>(1, 1);
                  server->setLimits(limits);
                  if (!server->listen(HostAddress::LocalHost))
                      return Wrongly;
                  pumpIdle();
                  const std::ptrdiff_t before = descriptors();
                  for (std::uint64_t n = 1; n != 40; ++n) {
                      const PlainSocket client = PlainSocket::connectedTo(server->serverPort());
                      client.send("PROXY TCP4 192.0.2.1 192.0.2.9 77 80\r\n");
                      {
                          Faults faults;
                          faults.fail(Call::Allocate, ENOMEM, When::nth(n));
                          for (int i = 0; i != 10; ++i) {
                              try {
                                  EventLoop::current()->processEvents(std::chrono::milliseconds(1));
                              } catch (const std::bad_alloc&) {
                              }
                          }
                      }
                      pumpIdle();
                      while (TcpSocket* const socket = server->nextPendingConnection())
                          delete socket;
                  }
                  return pumpUntilElsewhere([&] { return limits->connections() == 0 && descriptors() == before; })
                             ? Well
                             : Wrongly;
              }) == Well);
    }
}

TEST_CASE("an object whose deletion finds no memory may be asked again, and is deleted once") {
    for (std::uint64_t n = 1; n != 6; ++n) {
        CAPTURE(n);
        CHECK(inChild([n] {
                  int gone[3] = {};
                  Object* objects[3];
                  for (int i = 0; i != 3; ++i) {
                      objects[i] = new Object;
                      objects[i]->destroyed.connect([&, i] { ++gone[i]; });
                  }
                  const auto tryAll = [&](auto what) {
                      Faults faults;
                      faults.fail(Call::Allocate, ENOMEM, When::nth(n));
                      try {
                          what();
                      } catch (const std::bad_alloc&) {
                      }
                  };
                  const auto askTwo = [&] {
                      objects[0]->deleteLater();
                      objects[1]->deleteLater();
                  };
                  std::thread([&] {
                      EventLoop::current(); // what its thread needs first
                      tryAll(askTwo);
                      askTwo();
                  }).join();
                  tryAll([] { EventLoop::current()->processEvents(); });
                  tryAll([&] { objects[2]->deleteLater(); });
                  objects[2]->deleteLater();
                  pumpIdle();
                  return gone[0] == 1 && gone[1] == 1 && gone[2] == 1 ? Well : Wrongly;
              }) == Well);
    }
}

TEST_CASE("a thread that finds no memory is not started, and may be started again") {
    int failures = 0;
    for (int ending = Well; ending != nothingFailed; ++failures) {
        CAPTURE(failures);
        ending = inChild([&] {
            {
                Thread before; // which leaves a record of signals' own to the next one
                before.start();
            }
            Thread thread;
            Faults faults(Faults::Threads::Every);
            faults.fail(Call::Allocate, ENOMEM, When::nth(static_cast<std::uint64_t>(failures) + 1));
            bool isStarted = false;
            try {
                isStarted = thread.start();
            } catch (const std::bad_alloc&) {
            }
            const bool isRight = isStarted == thread.isRunning() && isStarted == (thread.eventLoop() != nullptr);
            if (faults.injected() == 0)
                return static_cast<int>(nothingFailed);
            faults.clear();
            const bool isWellAgain = thread.start() && thread.isRunning();
            thread.quit();
            return static_cast<int>(isRight && isWellAgain && thread.wait() ? Well : Wrongly);
        });
        CHECK((ending == Well || ending == nothingFailed));
        if (ending != Well)
            break;
    }
    MESSAGE(failures, " allocations of a thread's start may fail");
}

TEST_CASE("an object whose move finds no memory stays where it is, with all that it has in the loop") {
    Thread thread;
    REQUIRE(thread.start());
    auto* const first = new Object; // after whose move there is what a thread cannot go on without
    REQUIRE(first->moveToThread(&thread));
    first->deleteLater();
    bool threw = true;
    for (std::uint64_t n = 1; threw; ++n) {
        CAPTURE(n);
        auto* const parent = new Object;
        std::vector<Timer*> timers;
        int fired = 0;
        for (int i = 0; i != 5; ++i) {
            timers.push_back(new Timer(parent));
            timers.back()->setSingleShot(true);
            timers.back()->timeout.connect([&] { ++fired; });
            timers.back()->start(std::chrono::milliseconds(0));
        }
        {
            Faults faults;
            faults.fail(Call::Allocate, ENOMEM, When::nth(n));
            try {
                threw = false;
                parent->moveToThread(&thread);
            } catch (const std::bad_alloc&) {
                threw = true;
            }
        }
        if (!threw) {
            parent->deleteLater();
            break;
        }
        CHECK(parent->livesHere());
        CHECK(pumpUntil([&] { return fired == 5; }));
        delete parent;
    }
}

TEST_CASE("a timer that finds no memory when it starts is not active") {
    std::vector<std::unique_ptr<Timer>> timers(1000);
    for (auto& each : timers)
        each = std::make_unique<Timer>();
    std::size_t started = 0;
    {
        Faults faults;
        faults.fail(Call::Allocate, ENOMEM);
        try {
            while (started != timers.size()) {
                timers[started]->start(std::chrono::hours(1));
                ++started;
            }
        } catch (const std::bad_alloc&) {
        }
    }
    REQUIRE(started != timers.size());
    CHECK_FALSE(timers[started]->isActive());
    CHECK(timers[started]->start(std::chrono::milliseconds(0)));
    bool fired = false;
    timers[started]->timeout.connect([&] { fired = true; });
    CHECK(pumpUntil([&] { return fired; }));
}

TEST_CASE("a lookup of a name is answered or refused when an allocation fails, on whichever thread, and the next one "
          "is well") {
    HostLookup::setResolver([](const std::string&) {
        return HostAnswer{{HostAddress::LocalHostIPv6, HostAddress::LocalHost}, SocketError::None, {}};
    });
    const auto lookUp = [](HostLookup& lookup) {
        lookup.start("a.host.with.a.rather.long.name.example");
        return pumpUntil([&] { return lookup.isFinished(); });
    };
    int failures = 0;
    for (int ending = Well; ending != nothingFailed; ++failures) {
        CAPTURE(failures);
        ending = inChild([&] { // where no thread is there yet
            EventLoop::current();
            HostLookup lookup;
            Faults faults(Faults::Threads::Every);
            faults.fail(Call::Allocate, ENOMEM, When::nth(static_cast<std::uint64_t>(failures) + 1));
            bool threw = false;
            bool answered = false;
            try {
                answered = lookUp(lookup);
            } catch (const std::bad_alloc&) {
                threw = true;
            }
            const bool isRight = threw ? !lookup.isRunning()
                                       : answered && (lookup.error() == SocketError::None ||
                                                      lookup.error() == SocketError::SocketResource);
            if (faults.injected() == 0)
                return static_cast<int>(nothingFailed);
            faults.clear();
            const bool isWellAgain = lookUp(lookup) && lookup.addresses().size() == 2;
            return static_cast<int>(isRight && isWellAgain ? Well : Wrongly);
        });
        CHECK((ending == Well || ending == nothingFailed));
        if (ending != Well)
            break;
    }
    HostLookup::setResolver({});
    MESSAGE(failures, " allocations of a lookup may fail");
}

TEST_CASE("a file that there is no memory to queue is not kept open") {
    const PlainSocket file(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
    for (std::uint64_t n = 1, injected = 1; injected != 0; ++n) {
        CAPTURE(n);
        const TcpPair pair;
        const std::ptrdiff_t before = descriptors();
        Faults faults;
        faults.fail(Call::Allocate, ENOMEM, When::nth(n));
        try {
            pair.near->sendFile(file.descriptor(), 0, 1000);
        } catch (const std::bad_alloc&) {
        }
        injected = faults.injected();
        faults.clear();
        CHECK(descriptors() == before);
    }
}
