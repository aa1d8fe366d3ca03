#pragma once

#include "demand.h"

#include <array>
#include <memory>
#include <string>

#include <sys/mman.h>
#include <unistd.h>

namespace halyard::fuzz {

/// The bytes that go in one direction of one connection. Which they are follows from their place and from the flow's
/// number, which is the first of them: so whoever reads knows whose they are, and that none is missing or came twice.
struct Flow {
    static constexpr std::size_t period = 65521;

    static char byteAt(std::size_t place) noexcept {
        const std::size_t scattered = place % period * 40503U;
        return static_cast<char>(scattered >> 7U ^ scattered);
    }

    std::size_t placeInPeriod(std::size_t place) const noexcept { return (place + number * 251U) % period; }

    char at(std::size_t place) const noexcept {
        return place == 0 ? static_cast<char>(number) : byteAt(placeInPeriod(place));
    }

    std::string piece(std::size_t size) const {
        std::string text(size, '\0');
        for (std::size_t i = 0; i != size; ++i)
            text[i] = at(written + i);
        return text;
    }

    /// These were read: they are those that come next.
    void take(std::string_view bytes) {
        demand(read + bytes.size() <= written);
        for (const char each : bytes)
            demand(each == at(read++));
    }

    std::uint8_t number = 0;
    std::size_t written = 0;
    std::size_t read = 0;
    bool isRead = false;  ///< somebody does
    bool mayLose = false; ///< what was done to the connection throws bytes away
    bool isEnded = false; ///< by the writer, who listens no more: who writes to him is reset, and may lose the rest
};

/// A file in which every byte of a period of all flows stands, twice: so that a piece of it may begin anywhere.
inline int fileOfFlows() {
    static const int file = [] {
        std::string text(2 * Flow::period, '\0');
        for (std::size_t i = 0; i != text.size(); ++i)
            text[i] = Flow::byteAt(i);
        const int made = ::memfd_create("flows", MFD_CLOEXEC);
        demand(::write(made, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
        return made;
    }();
    return file;
}

/// All flows of a run.
class Flows {
  public:
    /// Null where there have been too many to be told apart.
    std::shared_ptr<Flow> begin() {
        if (count_ == all_.size())
            return nullptr;
        auto flow = std::make_shared<Flow>();
        flow->number = static_cast<std::uint8_t>(count_);
        flow->mayLose = mayLose_;
        return all_[count_++] = flow;
    }

    /// The one that begins with this byte, for its only reader.
    std::shared_ptr<Flow> beginningWith(char first) {
        const auto flow = all_[static_cast<std::uint8_t>(first)];
        demand(flow != nullptr && !flow->isRead && flow->written != 0);
        flow->isRead = true;
        return flow;
    }

    /// From now on nobody knows what of them has been thrown away; nor of those that begin later, if it is for good.
    void mayLose(bool forGood = false) noexcept {
        mayLose_ = mayLose_ || forGood;
        for (const auto& each : all_)
            if (each != nullptr)
                each->mayLose = true;
    }

  private:
    std::array<std::shared_ptr<Flow>, 256> all_;
    std::size_t count_ = 0;
    bool mayLose_ = false;
};

} // namespace halyard::fuzz
