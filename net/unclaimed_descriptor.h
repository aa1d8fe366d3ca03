#pragma once

#include <unistd.h>

namespace halyard {

/// A new descriptor, which is closed unless somebody takes it: an exception may come before.
class UnclaimedDescriptor {
  public:
    explicit UnclaimedDescriptor(int descriptor) noexcept : descriptor_(descriptor) {}
    UnclaimedDescriptor(const UnclaimedDescriptor&) = delete;
    UnclaimedDescriptor& operator=(const UnclaimedDescriptor&) = delete;
    ~UnclaimedDescriptor() {
        if (descriptor_ >= 0)
            ::close(descriptor_);
    }

    void claimed() noexcept { descriptor_ = -1; }

  private:
    int descriptor_;
};

} // namespace halyard
