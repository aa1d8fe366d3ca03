#pragma once

#include "serve_options.h"

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace echo {

/// `halyard-echo serve` on the command line, in the environment and in the configuration file.
class ServeCommand {
  public:
    explicit ServeCommand(CLI::App& app);

    /// Gives the exit code. `words` are those with which this program was started. Throws UsageError.
    int run(const std::vector<std::string>& words) const;

  private:
    ServeOptions options() const;

    CLI::App& app_;
    std::vector<std::string> listen_;
    std::vector<std::string> trusted_;
    std::string metrics_;
    std::string logFormat_ = "lines";
    std::string logLevel_ = "debug";
    double idleTimeout_ = 0;
    double writeTimeout_ = 0;
    double headerTimeout_ = 5;
    double drain_ = 0;
    double drainDelay_ = 0;
    int threads_ = 1;
    std::size_t maxClients_ = 0;
    std::size_t maxClientsPerAddress_ = 0;
    std::size_t maxQueued_ = 1024 * 1024;
    bool blocking_ = false;
    bool check_ = false;
};

} // namespace echo
