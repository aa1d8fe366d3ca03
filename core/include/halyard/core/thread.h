#pragma once

#include <halyard/core/object.h>

#include <chrono>
#include <memory>

namespace halyard {

/// A thread with an event loop.
///
///     Thread worker;
///     worker.start();                                    // returns when its loop is there
///     worker.eventLoop()->post([] { workOnTheOtherThread(); });
///     worker.quit();
///     worker.wait();
///
/// The object itself lives on the thread that made it, and deletes nothing of what lives on the thread that it stands
/// for: let that be deleted by `finished`, which is emitted there. A class that overrides run() ends it (quit(),
/// wait()) in its own destructor: in this one's the override is gone already.
class HALYARD_API Thread : public Object {
  public:
    explicit Thread(Object* parent = nullptr); ///< It does not run yet.

    /// A thread that runs is told to quit, and waited for. In itself it cannot wait: it then runs on without its
    /// object, with a logged sentence.
    ~Thread() override;

    /// Starts it, and returns once its loop is there. A thread that has finished starts again; one that runs stays as
    /// it is. False, with a logged sentence, where the system has no thread or descriptor left, and in a slot of its
    /// own `finished`. Thread-safe.
    bool start();

    /// Ends all exec() levels of its loop, a coming one too where none runs yet; exec() gives the code. Ignored while
    /// it does not run. Thread-safe.
    void exit(int code = 0);
    void quit() { exit(0); } ///< Thread-safe.

    /// Blocks until it has finished, and deleted what it was asked to delete; at most so long in real time, for ever
    /// with a negative time. True when it has, or was never started; false when the time is over, and, with a
    /// logged sentence, on the thread itself. Thread-safe.
    bool wait(std::chrono::milliseconds atMost = std::chrono::milliseconds(-1));

    bool isRunning() const; ///< Started, and not yet at its end. Thread-safe.
    bool
    isFinished() const;   ///< At its end since it was started last; so it is in the slots of `finished`. Thread-safe.
    int exitCode() const; ///< What exec() gave last. Thread-safe.

    /// Its loop, as long as it runs; null before and after. Thread-safe.
    EventLoop* eventLoop() const;

    /// The one that stands for the calling thread; a thread that was started otherwise gets one that lives until the
    /// thread ends, and gives it a loop. Never null. Thread-safe.
    static Thread* current();

    /// Emitted on the thread itself when its loop is there, before run(). A slot may do anything.
    Signal<> started{this};

    /// Emitted on the thread itself when run() has returned. What a slot asks to be deleted later is deleted before
    /// wait() returns. A slot may do anything.
    Signal<> finished{this};

  protected:
    /// What it does: exec(), unless a class of its own does something else. An exception that leaves it is logged
    /// and ends the program.
    virtual void run();

    int exec(); ///< Runs the thread's loop until exit(); gives the exit code. In run() only.

  private:
    struct State;
    friend class ThreadLoops;
    struct Adopted {};
    explicit Thread(Adopted);

    friend class Object;
    detail::Affinity* affinityNow() const; ///< where objects live that live on it; null where it does not run

    static void main(const std::shared_ptr<State>& state);
    static Thread* currentOrNull() noexcept;
    static void setCurrent(Thread* thread) noexcept;
    bool isThisThread() const;

    std::shared_ptr<State> state_; ///< the thread's too: it may outlive the object
};

} // namespace halyard
