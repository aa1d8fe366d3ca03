#include <halyard/core/event.h>

#include <atomic>

namespace halyard {

int Event::registerType() noexcept {
    static std::atomic<int> last = MaxUser + 1;
    int type = last.load(std::memory_order_relaxed);
    while (type > User)
        if (last.compare_exchange_weak(type, type - 1, std::memory_order_relaxed))
            return type - 1;
    return None;
}

} // namespace halyard
