#pragma once

#include "serve_options.h"

#include <halyard/core/log.h>

#include <cstdint>
#include <memory>
#include <string>

namespace spdlog {
class logger;
}

namespace echo {

/// What the server tells: a line for each event, in the operator's format. Thread-safe. Throws where standard output
/// is asked for and cannot be written.
class Journal {
  public:
    Journal(LogFormat format, halyard::LogLevel level);

    void listening(const std::string& where);
    void connected(const std::string& peer);
    /// `how` is the sentence that says why the connection is over.
    void ended(const std::string& how, std::uint64_t bytes);
    void stopped(std::uint64_t connections, std::uint64_t bytes);
    void note(const std::string& sentence);
    void warn(const std::string& sentence); ///< What an operator should look at; the server goes on.

  private:
    bool tells(halyard::LogLevel level) const noexcept { return level >= level_; }
    /// `fields` is what follows the sentence in a JSON object: `,"name":value`...
    void tell(halyard::LogLevel level, const std::string& sentence, const std::string& fields = {});

    LogFormat format_;
    halyard::LogLevel level_;
    std::shared_ptr<spdlog::logger> logger_; ///< null for Lines
};

} // namespace echo
