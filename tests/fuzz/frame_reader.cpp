// What a peer may send to who reads frames. The first bytes choose the limits, the pieces in which it comes, and what
// is asked for after each piece.
#include "demand.h"

#include <halyard/core/event_loop.h>
#include <halyard/net/frame_reader.h>
#include <halyard/net/local_socket.h>

#include <array>
#include <cerrno>
#include <optional>
#include <string>

#include <sys/socket.h>
#include <unistd.h>

using namespace halyard;

namespace {

constexpr std::size_t asked = 8;
constexpr std::size_t head = 3 + asked;

/// A reader of frames at one end of a pair, and what it should find there.
class Reading {
  public:
    Reading(std::size_t longest, std::size_t limit) : longest_(longest) {
        std::array<int, 2> ends{};
        fuzz::demand(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) == 0);
        peer_ = ends[0];
        socket_.setReadBufferSize(limit);
        fuzz::demand(socket_.setSocketDescriptor(ends[1]));
    }
    Reading(const Reading&) = delete;
    Reading& operator=(const Reading&) = delete;
    ~Reading() { ::close(peer_); }

    /// False where no more goes in: the socket's buffer is full and so is the kernel's.
    bool deliver(std::string_view piece) {
        const ssize_t sent = ::send(peer_, piece.data(), piece.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        fuzz::demand(sent >= 0 || errno == EAGAIN);
        if (sent < 0)
            return false;
        sent_ += piece.substr(0, static_cast<std::size_t>(sent));
        for (int turns = 0; turns != 4; ++turns)
            EventLoop::current()->processEvents();
        return sent == static_cast<ssize_t>(piece.size());
    }

    void ask(std::uint8_t what) {
        wasTooLong_ = frames_.isTooLong();
        switch (what % 8) {
        case 0:
            expectDelimited(frames_.readLine(), "\n", true);
            break;
        case 1:
            expectDelimited(frames_.readUntil("\r\n\r\n"), "\r\n\r\n", false);
            break;
        case 2:
            expectDelimited(frames_.readUntil("aab"), "aab", false);
            break;
        case 3:
            frames_.reset();
            break;
        default:
            expectSized(what / 8U);
            break;
        }
    }

  private:
    std::string_view visible() const { return std::string_view(sent_).substr(taken_, socket_.bytesAvailable()); }

    void expectDelimited(const std::optional<std::string>& frame, std::string_view delimiter, bool isLine) {
        if (!frame) { // there is none, or it is too long
            fuzz::demand(frames_.isTooLong() || visible().find(delimiter) == std::string_view::npos);
            fuzz::demand(wasTooLong_ || !frames_.isTooLong() ||
                         sent_.size() - taken_ > std::min(longest_, socket_.readBufferSize() - 1));
            return;
        }
        fuzz::demand(!wasTooLong_);
        const std::string_view all = std::string_view(sent_).substr(taken_);
        std::string_view expected = all.substr(0, all.find(delimiter));
        fuzz::demand(expected.size() < all.size() && expected.size() <= longest_);
        taken_ += expected.size() + delimiter.size();
        if (isLine && expected.ends_with('\r'))
            expected.remove_suffix(1);
        fuzz::demand(*frame == expected);
        fuzz::demand(taken_ + socket_.bytesAvailable() <= sent_.size());
    }

    void expectSized(std::size_t size) {
        const bool isThere = visible().size() >= size && !wasTooLong_;
        const auto frame = frames_.read(size);
        fuzz::demand(frame.has_value() == (isThere && size <= longest_));
        if (!frame)
            return;
        fuzz::demand(*frame == std::string_view(sent_).substr(taken_, size));
        taken_ += size;
    }

    LocalSocket socket_;
    const std::size_t longest_;
    FrameReader frames_{socket_, longest_};
    std::string sent_;
    std::size_t taken_ = 0;
    bool wasTooLong_ = false; ///< before it was asked
    int peer_ = -1;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < head)
        return 0;
    Reading reading(data[0], data[1]);
    std::string_view stream = fuzz::textOf(data + head, size - head);
    for (std::size_t turn = 0; !stream.empty(); ++turn) {
        const std::string_view piece = stream.substr(0, data[2] + 1U);
        stream.remove_prefix(piece.size());
        if (!reading.deliver(piece))
            break;
        reading.ask(data[3 + turn % asked]);
        reading.ask(data[3 + (turn + 1) % asked]);
    }
    return 0;
}
