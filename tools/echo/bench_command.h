#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace CLI {
class App;
}

namespace echo {

/// `halyard-echo bench` on the command line.
class BenchCommand {
  public:
    explicit BenchCommand(CLI::App& app);

    bool isWanted() const;
    int run() const; ///< Gives the exit code. Throws UsageError.

  private:
    CLI::App& app_;
    std::string peer_;
    std::size_t connections_ = 10;
    std::size_t size_ = 64;
    std::size_t depth_ = 1;
    double rate_ = 0;
    std::uint64_t perConnection_ = 0;
    double warmUp_ = 1;
    double duration_ = 10;
    bool json_ = false;
};

} // namespace echo
