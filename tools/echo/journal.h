#pragma once

#include <halyard/net/endpoint.h>

#include <cstdint>
#include <string>

namespace echo {

/// What the server tells on standard output, a line for each event, and its totals. Throws where it cannot be
/// written.
class Journal {
  public:
    void listening(const halyard::Endpoint& where);
    void connected(const halyard::Endpoint& peer);
    void echoed(std::uint64_t bytes) noexcept { bytes_ += bytes; }
    /// `how` is the sentence that says why the connection is over.
    void ended(const std::string& how, std::uint64_t bytes);
    void stopped();

  private:
    std::uint64_t connections_ = 0;
    std::uint64_t bytes_ = 0;
};

} // namespace echo
