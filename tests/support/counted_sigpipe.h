#pragma once

#include <csignal>

namespace halyard::test {

/// How often SIGPIPE is raised as long as this lives; it ends nobody meanwhile. One at a time.
class CountedSigpipe {
  public:
    CountedSigpipe() {
        raised_ = 0;
        struct sigaction counting {};
        counting.sa_handler = [](int) { raised_ = raised_ + 1; };
        ::sigaction(SIGPIPE, &counting, &before_);
    }
    CountedSigpipe(const CountedSigpipe&) = delete;
    CountedSigpipe& operator=(const CountedSigpipe&) = delete;
    ~CountedSigpipe() { ::sigaction(SIGPIPE, &before_, nullptr); }

    int count() const noexcept { return raised_; }

  private:
    static inline volatile std::sig_atomic_t raised_ = 0;
    struct sigaction before_ {};
};

} // namespace halyard::test
