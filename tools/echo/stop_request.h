#pragma once

#include <csignal>

namespace echo {

/// SIGINT and SIGTERM as a flag, for a program without an event loop. There is one at a time.
class StopRequest {
  public:
    StopRequest();
    StopRequest(const StopRequest&) = delete;
    StopRequest& operator=(const StopRequest&) = delete;
    ~StopRequest();

    bool isMade() const noexcept { return made_ != 0; }

  private:
    static void note(int) noexcept { made_ = 1; }

    static inline volatile std::sig_atomic_t made_ = 0;
};

} // namespace echo
