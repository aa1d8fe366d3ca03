#include <halyard/net/frame_reader.h>

#include <algorithm>

namespace halyard {

/// Whether the socket ever has so many bytes at once.
bool FrameReader::canHold(std::size_t bytes) const noexcept {
    const std::size_t limit = socket_->readBufferSize();
    return limit == 0 || bytes <= limit;
}

std::optional<std::string> FrameReader::read(std::size_t size) {
    if (!socket_ || tooLong_)
        return std::nullopt;
    tooLong_ = size > longest_ || !canHold(size);
    if (tooLong_ || socket_->bytesAvailable() < size)
        return std::nullopt;
    searched_ = 0;
    return socket_->read(size);
}

std::optional<std::string> FrameReader::readUntil(std::string_view delimiter) {
    if (!socket_ || tooLong_ || delimiter.empty())
        return std::nullopt;
    if (delimiter != delimiter_) {
        delimiter_ = delimiter;
        searched_ = 0;
    }
    const std::size_t available = socket_->bytesAvailable();
    const std::optional<std::size_t> place = socket_->indexOf(delimiter, searched_);
    if (!place) {
        // The last bytes may be the beginning of one.
        searched_ = available - std::min(available, delimiter.size() - 1);
        tooLong_ = searched_ > longest_ || !canHold(available + 1);
        return std::nullopt;
    }
    tooLong_ = *place > longest_;
    if (tooLong_)
        return std::nullopt;
    searched_ = 0;
    std::string frame = socket_->read(*place);
    socket_->skip(delimiter.size());
    return frame;
}

std::optional<std::string> FrameReader::readLine() {
    std::optional<std::string> line = readUntil("\n");
    if (line && line->ends_with('\r'))
        line->pop_back();
    return line;
}

} // namespace halyard
