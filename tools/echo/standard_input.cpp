#include "standard_input.h"

#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

namespace echo {

using halyard::FdNotifier;

StandardInput::StandardInput()
    : flags_(::fcntl(STDIN_FILENO, F_GETFL)),
      notifier_(STDIN_FILENO, FdNotifier::Read),
      canBeWatched_(notifier_.isEnabled()) {
    notifier_.setEnabled(false);
    notifier_.activated.connect(this, [this] { readable(); });
}

StandardInput::~StandardInput() {
    if (canBeWatched_)
        ::fcntl(STDIN_FILENO, F_SETFL, flags_);
}

std::optional<std::string_view> StandardInput::read() {
    ssize_t size = 0;
    do {
        size = ::read(STDIN_FILENO, piece_.data(), piece_.size());
    } while (size < 0 && errno == EINTR);
    if (size >= 0)
        return std::string_view(piece_.data(), static_cast<std::size_t>(size));
    if (errno == EAGAIN)
        return std::nullopt;
    throw std::system_error(errno, std::generic_category(), "cannot read standard input");
}

void StandardInput::setWatched(bool watched) {
    if (canBeWatched_)
        notifier_.setEnabled(watched);
}

} // namespace echo
