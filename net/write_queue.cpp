#include <halyard/net/write_queue.h>

#include "pipe.h"
#include "socket_engine.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <deque>

#include <sys/uio.h>
#include <unistd.h>

namespace halyard {

namespace {

constexpr std::size_t atOnce = 4 * 1024 * 1024; // of files, until it is the turn of other sockets

} // namespace

/// A piece of a file, or what is in a pipe, and how many of the queued bytes go before it, counted from the file
/// before.
struct WriteQueue::File {
    File(int descriptor, std::int64_t at, std::size_t length, std::size_t after) noexcept
        : fd(descriptor), offset(at), left(length), bytesBefore(after) {}
    File(std::shared_ptr<Pipe> from, std::size_t length, std::size_t after) noexcept
        : fd(from->readEnd()), offset(0), left(length), bytesBefore(after), pipe(std::move(from)) {}
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    ~File() {
        if (pipe == nullptr)
            ::close(fd);
    }

    /// As SocketEngine::send().
    std::ptrdiff_t sendTo(SocketEngine& engine) noexcept {
        const std::ptrdiff_t sent =
            pipe == nullptr ? engine.sendFile(fd, offset, std::min(left, atOnce)) : engine.sendFrom(fd, left);
        if (sent <= 0)
            return sent;
        offset += sent;
        left -= static_cast<std::size_t>(sent);
        if (pipe != nullptr)
            pipe->drained(static_cast<std::size_t>(sent));
        return sent;
    }

    int fd;
    std::int64_t offset;
    std::size_t left;
    std::size_t bytesBefore;
    std::shared_ptr<Pipe> pipe; ///< null for a file
};

struct WriteQueue::Files {
    std::deque<File> all;
    std::size_t bytesBefore = 0; ///< of all of them together: what was appended since stands behind the last
};

void WriteQueue::DeleteFiles::operator()(Files* files) const noexcept { delete files; }

/// After what has been appended before; or not at all, where memory ends.
template <class... Arguments>
void WriteQueue::addFile(Arguments&&... arguments) {
    std::unique_ptr<Files, DeleteFiles> first;
    Files* files = files_.get();
    if (files == nullptr) {
        first.reset(new Files);
        files = first.get();
    }
    const std::size_t after = bytes_.size() - files->bytesBefore;
    files->all.emplace_back(std::forward<Arguments>(arguments)..., after);
    files->bytesBefore += after;
    if (first != nullptr)
        files_ = std::move(first);
}

void WriteQueue::appendFile(int descriptor, std::int64_t offset, std::size_t length) {
    addFile(descriptor, offset, length);
}

void WriteQueue::appendPipe(std::shared_ptr<Pipe> pipe, std::size_t length) { addFile(std::move(pipe), length); }

std::size_t WriteQueue::sizeWithFiles() const noexcept {
    std::size_t sum = bytes_.size();
    for (const File& each : files_->all)
        sum += each.left;
    return sum;
}

std::size_t WriteQueue::sendBytes(SocketEngine& engine, int& error) noexcept {
    error = 0;
    if (bytes_.empty() || !bytes_.isOnePiece())
        return sendPieces(engine, bytes_.size(), error);
    const std::size_t all = bytes_.size();
    const std::ptrdiff_t sent = engine.sendPiece(bytes_.front());
    if (sent == static_cast<std::ptrdiff_t>(all)) {
        bytes_.clear();
        return all;
    }
    error = sent < 0 ? static_cast<int>(-sent) : EAGAIN;
    return sent > 0 ? bytes_.skip(static_cast<std::size_t>(sent)) : 0;
}

/// The first `count` of the bytes.
std::size_t WriteQueue::sendPieces(SocketEngine& engine, std::size_t count, int& error) noexcept {
    error = 0;
    std::size_t total = 0;
    while (total != count) {
        std::array<iovec, 64> vectors;
        auto used = static_cast<std::size_t>(bytes_.gather(vectors));
        std::size_t offered = 0;
        for (std::size_t i = 0; i != used; ++i) {
            vectors[i].iov_len = std::min(vectors[i].iov_len, count - total - offered);
            offered += vectors[i].iov_len;
            if (offered == count - total)
                used = i + 1;
        }
        const std::ptrdiff_t sent = engine.send(std::span(vectors).first(used));
        if (sent < 0) {
            error = static_cast<int>(-sent);
            break;
        }
        bytes_.skip(static_cast<std::size_t>(sent));
        total += static_cast<std::size_t>(sent);
        if (static_cast<std::size_t>(sent) < offered) {
            error = EAGAIN;
            break;
        }
    }
    return total;
}

std::size_t WriteQueue::sendAll(SocketEngine& engine, int& error) noexcept {
    std::size_t total = 0;
    while (files_ != nullptr) {
        File& file = files_->all.front();
        const std::size_t before = sendPieces(engine, file.bytesBefore, error);
        total += before;
        file.bytesBefore -= before;
        files_->bytesBefore -= before;
        if (error != 0)
            return total;
        while (file.left != 0) {
            if (total >= atOnce) {
                error = EAGAIN; // a peer that takes all there is shall not hold up the others
                return total;
            }
            const std::ptrdiff_t sent = file.sendTo(engine);
            if (sent <= 0) {
                error = sent == 0 ? ENODATA : static_cast<int>(-sent);
                return total;
            }
            total += static_cast<std::size_t>(sent);
        }
        files_->all.pop_front();
        if (files_->all.empty())
            files_.reset();
    }
    return total + sendBytes(engine, error);
}

} // namespace halyard
