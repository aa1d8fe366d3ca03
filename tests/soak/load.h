#pragma once

#include "ledger.h"
#include "service.h"

#include <halyard/core/object.h>
#include <halyard/core/timer.h>

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace soak {

/// Starts visits, as many as a share of a processor can take; now and then a storm of them.
class Load : public halyard::Object {
  public:
    /// `share` is a part of one processor, for both ends of everything.
    Load(const Service& service, Ledger& ledger, std::uint64_t seed, double share);

    void start();
    void stop();
    void flood(); ///< As many at once as there may ever be.

    std::size_t alive() const noexcept { return alive_; }
    std::uint64_t visits() const noexcept { return visits_; }
    std::size_t peak() const noexcept { return peak_; }

  private:
    void beat();
    void visit();
    bool maySpend() const;

    const Service& service_;
    Ledger& ledger_;
    const std::uint64_t seed_;
    const double share_;
    halyard::Timer heart_{this};
    std::chrono::nanoseconds spentBefore_{0};
    std::chrono::steady_clock::time_point began_;
    std::uint64_t visits_ = 0;
    std::size_t alive_ = 0;
    std::size_t peak_ = 0;
};

} // namespace soak
