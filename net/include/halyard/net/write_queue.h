#pragma once

#include <halyard/net/byte_queue.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace halyard {

class Pipe;
class SocketEngine;

/// What waits to be sent over a connection: bytes, and pieces of files among them, in the order in which they came.
///
///     queue.append(header);
///     queue.appendFile(descriptor, 0, length);
///     int error = 0;
///     const std::size_t sent = queue.sendTo(engine, error);
class HALYARD_API WriteQueue {
  public:
    WriteQueue() noexcept = default;
    WriteQueue(WriteQueue&&) noexcept = default;            ///< The other is empty then.
    WriteQueue& operator=(WriteQueue&&) noexcept = default; ///< The same.
    ~WriteQueue() = default;

    /// How many bytes wait, those of files included.
    std::size_t size() const noexcept { return files_ == nullptr ? bytes_.size() : sizeWithFiles(); }
    bool empty() const noexcept { return bytes_.empty() && files_ == nullptr; } ///< Nothing waits.
    std::size_t memory() const noexcept { return bytes_.size(); } ///< Of what is queued, what is kept in memory.
    /// Throws all of it away.
    void clear() noexcept {
        bytes_.clear();
        files_.reset();
    }

    /// All that waits, where that stands together in memory; else nothing.
    std::string_view onlyPiece() const noexcept { return files_ == nullptr ? bytes_.onlyPiece() : std::string_view(); }

    void sentOnlyPiece() noexcept { bytes_.clearOnlyPiece(); }        ///< All of it, where that was one piece.
    void sentPart(std::size_t bytes) noexcept { bytes_.skip(bytes); } ///< Of that piece.

    void append(std::string_view bytes) { bytes_.append(bytes); }       ///< Copies them to the end.
    void adopt(std::string&& bytes) { bytes_.adopt(std::move(bytes)); } ///< A long string is not copied.
    void append(ByteQueue&& bytes) { bytes_.append(std::move(bytes)); } ///< Many bytes are not copied.
    /// So many bytes of a file, which are read when their turn comes. The descriptor is the queue's from here on.
    void appendFile(int descriptor, std::int64_t offset, std::size_t length);
    /// So many of the bytes that are in a pipe.
    void appendPipe(std::shared_ptr<Pipe> pipe, std::size_t length);

    /// Sends until the queue is empty or no more is taken; how many bytes went. `error` becomes 0 where all went,
    /// EAGAIN where the rest has to wait, and else the errno of what broke the connection (ENODATA: a file is shorter
    /// than it was said to be).
    std::size_t sendTo(SocketEngine& engine, int& error) noexcept {
        return files_ == nullptr ? sendBytes(engine, error) : sendAll(engine, error);
    }

  private:
    struct File;
    struct Files;
    struct DeleteFiles {
        void operator()(Files* files) const noexcept;
    };

    std::size_t sizeWithFiles() const noexcept;
    template <class... Arguments>
    void addFile(Arguments&&... arguments);
    std::size_t sendBytes(SocketEngine& engine, int& error) noexcept;
    std::size_t sendPieces(SocketEngine& engine, std::size_t count, int& error) noexcept;
    std::size_t sendAll(SocketEngine& engine, int& error) noexcept;

    ByteQueue bytes_;
    std::unique_ptr<Files, DeleteFiles> files_; ///< null where no file waits, as nearly always
};

} // namespace halyard
