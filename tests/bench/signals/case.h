#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

/// What the programs that measure signals share: how a case is timed, and how the script asks for it.
namespace bench {

/// Runs operations for as long, or as often, as the script has asked for. Times are of the wall clock, taken over
/// short batches; their median passes over those in which the machine did something else.
class Run {
  public:
    using Clock = std::chrono::steady_clock;

    static Run timed(std::chrono::milliseconds slice) { return {slice, 0}; }
    /// To be counted from outside: exactly so many operations, and no clock.
    static Run counted(std::size_t operations) { return {{}, operations}; }

    /// Nanoseconds of one operation, where `repeat(times)` does it `times` times `each`.
    double repeated(const std::function<void(std::size_t times)>& repeat, std::size_t each = 1) const;

    /// Nanoseconds of one operation, where `batch` does `operations` of them, and `prepare`, before every batch, is
    /// not timed.
    double batched(std::size_t operations, const std::function<void()>& prepare,
                   const std::function<void()>& batch) const;

  private:
    Run(std::chrono::milliseconds slice, std::size_t operations) : slice_(slice), operations_(operations) {}

    std::chrono::milliseconds slice_;
    std::size_t operations_; ///< 0: for as long as the slice lasts
};

/// Something that is measured. Its name is the same in all programs.
struct Case {
    std::string name;
    std::function<double(const Run&)> measure;
};
using Cases = std::vector<Case>;

/// What a library does not do (yet); the text is for people.
class Refused : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// Bytes of the heap that are in use, its own book-keeping included.
std::size_t heapInUse();

/// The main function of each program.
///
///     bench_signals_NAME                          answers lines "CASE MILLISECONDS" until the input ends
///     bench_signals_NAME CASE OPERATIONS          does so many of them, to be counted
///
/// An answer is a line: a number, "refused: REASON", or "none" where this library has no such case.
int serve(const Cases& cases, int argc, char** argv);

} // namespace bench
