#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace halyard::test {

/// Whether what a program said has this in it.
inline bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

/// A program that runs beside the test, with pipes to its three standard streams. What does not come within
/// patience() is an exception; what still runs at the end is killed.
class Program {
  public:
    /// The tool that is tested, which the environment variable HALYARD_ECHO names. `input` becomes its
    /// standard input instead of a pipe; it stays the caller's.
    static Program echo(std::vector<std::string> arguments, int input = -1);

    /// A line of sh(1), in which "$echo" is the tool, and "$1", "$2"... the arguments.
    static Program shell(const std::string& script, std::vector<std::string> arguments = {});

    Program(Program&& other) noexcept;
    Program& operator=(Program&&) = delete;
    ~Program();

    /// The next line of its standard output, without the newline.
    std::string readLine();
    /// So many bytes of its standard output.
    std::string read(std::size_t size);
    void write(std::string_view bytes);
    void endInput();
    void signal(int number) const;

    struct Result {
        int code; ///< its exit code; 128 and the signal's number where one ended it
        std::string output;
        std::string errors;
    };
    /// Ends its input, and waits for it: what it wrote and nobody has read yet.
    Result finish();

    /// How much of its memory is in RAM, in bytes.
    std::size_t residentMemory() const;

  private:
    Program(const std::vector<std::string>& words, int input);
    bool receive();

    pid_t id_ = -1;
    int input_ = -1;
    int output_ = -1;
    int errors_ = -1;
    std::string outputText_;
    std::string errorText_;
};

/// The options with which a server works on its event loop, and without one.
inline const std::vector<std::vector<std::string>> bothWays{{}, {"--blocking"}};

/// `halyard-echo serve` on a free port.
class EchoServer : public Program {
  public:
    explicit EchoServer(std::vector<std::string> options = {});

    std::uint16_t port() const { return port_; }
    std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

    /// Ends it by SIGTERM.
    Result stop();

  private:
    std::uint16_t port_;
};

} // namespace halyard::test
