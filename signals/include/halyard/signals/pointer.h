#pragma once

#include <halyard/signals/tracked.h>

#include <type_traits>

namespace halyard {

/// What the guarded pointers have in common: a place in the list of their target.
class HALYARD_API PointerBase {
  protected:
    PointerBase() noexcept = default;
    ~PointerBase() { leave(); }

    void join(Tracked* target) noexcept;

    void leave() noexcept {
        if (target_ == nullptr)
            return;
        *previous_ = next_;
        if (next_ != nullptr)
            next_->previous_ = previous_;
        target_ = nullptr;
    }

    Tracked* target() const noexcept { return target_; }

  private:
    friend class Tracked;

    Tracked* target_ = nullptr;
    PointerBase* next_ = nullptr;
    PointerBase** previous_ = nullptr;
};

/// A pointer that is null once its object is gone. It owns nothing, allocates nothing, and belongs to the
/// object's thread. It is also how code asks after an emission whether its own object still is there:
///
///     Pointer<Session> self(this);
///     finished();                       // a slot may have deleted us
///     if (!self)
///         return;
template <class T>
class Pointer : private PointerBase {
  public:
    Pointer() noexcept = default;
    Pointer(T* object) noexcept { join(object); } // NOLINT(google-explicit-constructor): it stands for a T*
    Pointer(const Pointer& other) noexcept : PointerBase() { join(other.target()); }
    ~Pointer() = default;

    Pointer& operator=(const Pointer& other) noexcept {
        if (this != &other) {
            leave();
            join(other.target());
        }
        return *this;
    }

    T* get() const noexcept { return static_cast<T*>(target()); }
    T* operator->() const noexcept { return get(); }
    T& operator*() const noexcept { return *get(); }
    explicit operator bool() const noexcept { return target() != nullptr; }
    void clear() noexcept { leave(); }

    friend bool operator==(const Pointer& a, const Pointer& b) noexcept { return a.target() == b.target(); }
    friend bool operator==(const Pointer& a, const T* b) noexcept { return a.get() == b; }
};

} // namespace halyard
