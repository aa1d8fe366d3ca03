#include "echo_check.h"

#include <algorithm>

namespace echo {

void EchoCheck::sent(std::string_view bytes) {
    // Moving the rest to the front costs at most as much as matching what stood before it did.
    if (begin_ >= onTheWay()) {
        kept_.erase(0, begin_);
        begin_ = 0;
    }
    kept_.append(bytes);
}

std::size_t EchoCheck::cameBack(std::string_view bytes) {
    const std::string_view wanted = std::string_view(kept_).substr(begin_);
    const auto difference = std::mismatch(bytes.begin(), bytes.end(), wanted.begin(), wanted.end()).first;
    const auto same = static_cast<std::size_t>(difference - bytes.begin());
    begin_ += same;
    matched_ += same;
    return same;
}

} // namespace echo
