#pragma once

#include <halyard/net/stream_socket.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace halyard {

/// Takes whole frames out of what a socket has received: so many bytes, or what stands before a delimiter. A frame
/// that is not complete stays where it is, and one that outgrows the limit is an error instead of memory.
///
///     FrameReader lines(socket, 4096);
///     socket.readyRead.connect([&] {
///         while (const auto line = lines.readLine())
///             handle(*line);
///         if (lines.isTooLong())
///             socket.abort();
///     });
///
/// It should be the only reader of its socket. Where it looks for a delimiter, it looks at every byte once.
class HALYARD_API FrameReader {
  public:
    /// `longest`: how many bytes a frame may have, its delimiter not counted. A smaller read limit of the socket
    /// counts in its place.
    explicit FrameReader(StreamSocket& socket, std::size_t longest = 64 * 1024) noexcept
        : socket_(&socket), longest_(longest) {}

    /// Exactly `size` bytes; nothing while there are fewer.
    std::optional<std::string> read(std::size_t size);

    /// What stands before the next `delimiter`, which is taken too; nothing while there is none.
    std::optional<std::string> readUntil(std::string_view delimiter);

    /// As readUntil() with `"\n"`, and without a `\r` at the end.
    std::optional<std::string> readLine();

    /// The frame that was asked for last is longer than it may be. Nothing is read any more until reset().
    bool isTooLong() const noexcept { return tooLong_; }

    /// Begins anew with what there is to read now.
    void reset() noexcept {
        searched_ = 0;
        tooLong_ = false;
    }

  private:
    bool canHold(std::size_t bytes) const noexcept;

    Pointer<StreamSocket> socket_;
    std::size_t longest_;
    std::size_t searched_ = 0; ///< no delimiter begins before here
    std::string delimiter_;    ///< the one that was looked for
    bool tooLong_ = false;
};

} // namespace halyard
