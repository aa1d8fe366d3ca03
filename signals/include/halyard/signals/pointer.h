#pragma once

#include <halyard/signals/tracked.h>

#include <cstddef>
#include <type_traits>

namespace halyard {

/// What the guarded pointers have in common: a place in the list of their target.
class HALYARD_API PointerBase {
  protected:
    PointerBase() noexcept = default;
    ~PointerBase() { leave(); }

    void join(Tracked* target) noexcept; ///< Guards it, and nothing else any more.

    /// Guards nothing.
    void leave() noexcept {
        if (target_ == nullptr)
            return;
        *previous_ = next_;
        if (next_ != nullptr)
            next_->previous_ = previous_;
        target_ = nullptr;
    }

    Tracked* target() const noexcept { return target_; } ///< Null once it is gone.

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
    /// Null is allowed.
    Pointer(T* object) noexcept { join(object); } // NOLINT(google-explicit-constructor): it stands for a T*
    Pointer(const Pointer& other) noexcept : PointerBase() { join(other.target()); } ///< Of the same object.
    /// Of the same object.
    template <class U, class = std::enable_if_t<std::is_convertible_v<U*, T*>>>
    Pointer(const Pointer<U>& other) noexcept : Pointer(other.get()) {} // NOLINT(google-explicit-constructor)
    ~Pointer() = default;

    /// Of the same object from now on.
    Pointer& operator=(const Pointer& other) noexcept {
        if (this != &other) {
            leave();
            join(other.target());
        }
        return *this;
    }

    T* get() const noexcept { return static_cast<T*>(target()); } ///< Null once it is gone.
    T* operator->() const noexcept { return get(); }              ///< Only while it is there.
    T& operator*() const noexcept { return *get(); }              ///< Only while it is there.
    /// As what a T* converts to, but for bool: a Pointer is no number.
    template <class P, class = std::enable_if_t<std::is_pointer_v<P> && std::is_convertible_v<T*, P>>>
    operator P() const noexcept { // NOLINT(google-explicit-constructor)
        return get();
    }
    explicit operator bool() const noexcept { return target() != nullptr; } ///< The object is there.
    void clear() noexcept { leave(); }                                      ///< Makes it null.
};

/// The same object, or both null.
template <class T, class U>
bool operator==(const Pointer<T>& a, const Pointer<U>& b) noexcept {
    return a.get() == b.get();
}
/// The same.
template <class T, class U>
bool operator==(const Pointer<T>& a, U* b) noexcept {
    return a.get() == b;
}
/// It is null.
template <class T>
bool operator==(const Pointer<T>& a, std::nullptr_t) noexcept {
    return a.get() == nullptr;
}

} // namespace halyard
