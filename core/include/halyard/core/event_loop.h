#pragma once

#include <halyard/signals/executor.h>
#include <halyard/signals/signal.h>
#include <halyard/signals/tracked.h>

#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

struct uv_loop_s;

namespace halyard {

class Dispatcher;

/// A thread's event loop. It gathers what is ready, on epoll(7) for the descriptors of its objects and on libuv for
/// handles of libuv's; then it dispatches that on its own frame, so that a slot may run exec() again, and an exception
/// that leaves a slot leaves exec().
///
///     int main() {
///         halyard::EventLoop loop;
///         halyard::TcpServer server;
///         server.listen(halyard::HostAddress::LocalHost, 7000);
///         return loop.exec();
///     }
///
/// One turn: what was posted, then what is ready and due, in the order in which it was gathered, then what was asked
/// to be deleted. What is posted or becomes ready meanwhile waits for the next turn.
class HALYARD_API EventLoop : public Tracked {
  public:
    /// A loop with its own uv loop. The first one of a thread is the thread's: current() gives it, objects made on
    /// the thread live in it. Throws std::system_error where the system has no descriptor left for it.
    EventLoop();

    /// A loop that lives in a uv loop which the application owns and runs. It dispatches in the host's turn, right
    /// before and right after polling. Only what it watches for its users (sockets, notifiers, signals) keeps the
    /// host's loop alive, not the loop's own handles. An exception that leaves a slot cannot leave the host's turn,
    /// whose frames are C: setExceptionHandler(). After the destructor the host runs its loop once more, as for any
    /// handle.
    explicit EventLoop(uv_loop_s* host);

    ~EventLoop();

    /// The calling thread's loop; the first call on a thread makes one. It lives until the thread ends.
    static EventLoop* current();

    /// Runs turns until exit() or quit(); gives the exit code. May be called in a slot: exit() then ends the
    /// innermost exec(). −1, with a logged sentence, in a host's uv loop, on a foreign thread, and in a
    /// libuv callback of a handle that the program itself has put into uvLoop().
    int exec();

    /// Ends the innermost exec() after its turn; the last code wins. Ignored where no exec() runs. From another
    /// thread it ends the exec() that runs when the request arrives. Thread-safe.
    void exit(int code = 0);
    void quit() { exit(0); } ///< Thread-safe.

    /// One turn, waiting up to `wait` for something to do; a negative time waits for ever. False when nothing ran, and,
    /// with a logged sentence, where exec() is refused.
    bool processEvents(std::chrono::milliseconds wait = std::chrono::milliseconds(0));

    /// Runs `task` in a coming turn, in the order of posting from each thread. Thread-safe.
    template <class F>
    void post(F&& task) {
        static_assert(std::is_invocable_v<std::decay_t<F>&>, "a posted task is called without arguments");
        struct Posted final : Runnable {
            explicit Posted(F&& function) : function_(std::forward<F>(function)) {}
            void run() override { std::invoke(function_); }
            std::decay_t<F> function_;
        };
        postTask(std::unique_ptr<Runnable>(new Posted(std::forward<F>(task))));
    }

    /// What a loop in a host's uv loop, and driveOnce(), do with an exception that leaves a slot; they then go on with
    /// the next turn. Without a handler, and where that throws, the exception is logged and ends the program. From
    /// exec() and processEvents() exceptions come out instead.
    void setExceptionHandler(std::function<void(std::exception_ptr)> handler);

    /// The uv loop inside, for libraries that want one; it has its turn in each of ours from the first call on, which
    /// costs that one a system call. Loop thread only.
    uv_loop_s* uvLoop() const noexcept;

    /// @{
    /// For a foreign loop that drives this one: poll the descriptor for reading, for at most the timeout (none: for
    /// ever), then call processEvents(). What the foreign loop's own callbacks do to objects of this one until then
    /// (start a timer, post, connect a socket) makes the descriptor readable, so the timeout need not be asked again
    /// before each sleep. <halyard/adapters/...> has it ready for some loops. Loop thread only.
    int backendFd() const noexcept;
    std::optional<std::chrono::milliseconds> backendTimeout() const;
    /// @}

    /// processEvents() for a foreign loop whose frames are C: an exception that leaves a slot cannot cross them, and
    /// goes to the handler. Loop thread only.
    void driveOnce() noexcept;

    /// Emitted once when the outermost exec() is about to return, on the loop's thread. A slot may do anything.
    Signal<> aboutToQuit{this};

  private:
    friend class ThreadLoops;
    explicit EventLoop(Dispatcher& dispatcher);
    void postTask(std::unique_ptr<Runnable> task);

    bool mayRun(const char* call) const;

    Dispatcher& dispatcher_;
};

} // namespace halyard
