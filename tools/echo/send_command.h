#pragma once

#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace echo {

/// `halyard-echo send` on the command line.
class SendCommand {
  public:
    /// Cuts the text off "send [OPTION...] ADDRESS [OPTION...] [TEXT...]", where `words` are that: it begins with the
    /// first word after the address that looks like no option, or after "--", and from there on every word is text.
    SendCommand(CLI::App& app, std::vector<std::string>& words);

    bool isWanted() const;
    int run() const; ///< Gives the exit code. Throws UsageError.

  private:
    CLI::App& app_;
    std::optional<std::string> text_;
    std::vector<std::string> noText_;
    std::string peer_;
    std::string proxy_;
    double timeout_ = 0;
    bool verify_ = false;
};

} // namespace echo
