#pragma once

#include <exception>
#include <utility>

namespace halyard {

/// Emissions that belong together: an exception that leaves one keeps none of the others back, and leaves after the
/// last of them. Of several it is the first.
///
///     Emissions emissions;
///     emissions.make([&] { stateChanged(state); });
///     emissions.make([&] { disconnected(); });
///     emissions.end();
class Emissions {
  public:
    template <class Emission>
    void make(Emission emission) {
        try {
            emission();
        } catch (...) {
            if (thrown_ == nullptr)
                thrown_ = std::current_exception();
        }
    }

    bool haveThrown() const noexcept { return thrown_ != nullptr; }

    void end() {
        if (thrown_ != nullptr)
            std::rethrow_exception(std::exchange(thrown_, nullptr));
    }

  private:
    std::exception_ptr thrown_;
};

} // namespace halyard
