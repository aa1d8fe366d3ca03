#include "ledger.h"

#include <utility>

namespace soak {

void Ledger::count(const std::string& what) {
    const std::lock_guard lock(mutex_);
    ++counts_[what];
}

void Ledger::wrong(std::string sentence) {
    constexpr std::size_t shown = 20;
    const std::lock_guard lock(mutex_);
    if (complaints_.size() < shown)
        complaints_.push_back(std::move(sentence));
    else
        ++more_;
}

bool Ledger::isClean() const {
    const std::lock_guard lock(mutex_);
    return complaints_.empty();
}

std::map<std::string, std::uint64_t> Ledger::counts() const {
    const std::lock_guard lock(mutex_);
    return counts_;
}

std::vector<std::string> Ledger::complaints() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> all = complaints_;
    if (more_ != 0)
        all.push_back("and " + std::to_string(more_) + " more");
    return all;
}

} // namespace soak
