#include <halyard/core/object.h>

#include "dispatcher.h"
#include "object_extra.h"
#include "refuse.h"

#include <halyard/core/event_loop.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace halyard {

Object::Object(NoParent) {
    isObject_ = true;
    Dispatcher::current(); // which makes the thread's loop, where it has none
}

/// By way of the other one: where a parent throws when it is told, what has become its child is destroyed.
Object::Object(Object* parent) : Object(NoParent()) {
    if (parent != nullptr)
        setParent(parent);
}

Object::~Object() {
    dying_ = true;
    if (Address* const known = address_.load(std::memory_order_acquire)) {
        known->object = nullptr;
        known->release();
    }
    if (extra_ != nullptr)
        extra_->timers.clear();
    if (deletionAsked_.exchange(true)) // nobody asks any more from here on
        withDispatcher([this](Dispatcher& dispatcher) { dispatcher.forgetDeletion(this); });
    clearPointers();
    endConnections();
    setSignalsBlocked(false);
    destroyed(this);
    if (extra_ != nullptr) {
        // A child's end may end siblings of it.
        extra_->ending = true;
        for (std::size_t i = 0; i != extra_->children.size(); ++i) {
            Object* const child = extra_->children[i];
            if (child == nullptr)
                continue;
            if (child->dying_)
                removeChild(*child); // it is deleting us
            else
                delete child;
        }
    }
    if (Object* const parent = parent_) {
        parent->removeChild(*this);
        parent->childHas(Event::ChildRemoved, *this);
    }
}

Object::Extra& Object::extra() {
    if (extra_ == nullptr)
        extra_ = std::make_unique<Extra>();
    return *extra_;
}

void Object::addChild(Object& child) {
    std::vector<Object*>& children = extra().children;
    children.push_back(&child);
    child.placeInParent_ = static_cast<std::uint32_t>(children.size() - 1);
    child.parent_ = this;
}

void Object::childHas(Event::Type what, Object& child) {
    if (dying_)
        return;
    ChildEvent event(what, &child);
    deliver(event);
}

void Object::removeChild(Object& child) noexcept {
    Extra& its = *extra_;
    its.children[child.placeInParent_] = nullptr;
    child.parent_ = nullptr;
    ++its.gone;
    if (its.ending)
        return;
    while (!its.children.empty() && its.children.back() == nullptr) {
        its.children.pop_back();
        --its.gone;
    }
    if (its.gone * 2 > its.children.size())
        children();
}

std::span<Object* const> Object::children() const {
    if (extra_ == nullptr || extra_->ending)
        return {};
    std::vector<Object*>& all = extra_->children;
    if (extra_->gone != 0) {
        std::erase(all, nullptr);
        extra_->gone = 0;
        for (std::size_t i = 0; i != all.size(); ++i)
            all[i]->placeInParent_ = static_cast<std::uint32_t>(i);
    }
    return all;
}

void Object::setParent(Object* parent) {
    if (parent != nullptr) {
        bool isBelowThis = false;
        for (const Object* each = parent; each != nullptr; each = each->parent_)
            isBelowThis = isBelowThis || each == this;
        const char* const refusal = isBelowThis                          ? "an object cannot be below itself"
                                    : &parent->affinity() != &affinity() ? "the parent lives on another thread"
                                    : parent->dying_                     ? "the parent is being destroyed"
                                    : dying_                             ? "the object is being destroyed"
                                                                         : nullptr;
        if (refusal != nullptr) {
            refuse(std::string("Object::setParent(): ").append(refusal));
            return;
        }
    }
    Object* const before = parent_;
    if (before != nullptr)
        before->removeChild(*this);
    if (parent != nullptr)
        parent->addChild(*this);
    // Told when all is done: a handler may do anything.
    if (before == nullptr) {
        if (parent != nullptr)
            parent->childHas(Event::ChildAdded, *this);
        return;
    }
    const Pointer<Object> self(this);
    const Pointer<Object> after(parent);
    before->childHas(Event::ChildRemoved, *this);
    if (self && after && parent_ == parent)
        parent->childHas(Event::ChildAdded, *this);
}

const std::string& Object::objectName() const noexcept {
    static const std::string none;
    return extra_ != nullptr ? extra_->name : none;
}

void Object::setObjectName(std::string name) {
    if (name == objectName())
        return;
    const std::string told = name; // a slot may change the object's own, or take it away
    extra().name = std::move(name);
    objectNameChanged(told);
}

bool Object::blockSignals(bool block) noexcept {
    const bool before = signalsAreBlocked();
    setSignalsBlocked(block);
    return before;
}

void Object::deleteLater() {
    // Both while the object cannot move.
    withDispatcher([this](Dispatcher& dispatcher) {
        if (deletionAsked_.exchange(true))
            return;
        try {
            dispatcher.deleteLater(this);
        } catch (...) {
            deletionAsked_ = false; // it may be asked again
            throw;
        }
    });
}

/// Its loop forgets it: the object moves, and asks the next one when it arrives there.
void Object::takeDeletionAlong() noexcept {
    deletionAsked_ = false;
    bringsDeletion_ = true;
}

bool Object::isElsewhere(std::string_view call) const {
    return refuse(std::string(call).append(": the object lives on another thread"));
}

Object* Object::sender() const noexcept {
    Tracked* const owner = signalOwner();
    // By way of the member's address: another Tracked's protected member has no other.
    return owner != nullptr && owner->*(&Object::isObject_) ? static_cast<Object*>(owner) : nullptr;
}

EventLoop* Object::loop() const noexcept {
    EventLoop* found = nullptr;
    withDispatcher([&found](const Dispatcher& dispatcher) { found = dispatcher.facade(); });
    return found;
}

Thread* Object::thread() const noexcept {
    Thread* found = nullptr;
    withDispatcher([&found](const Dispatcher& dispatcher) { found = dispatcher.thread(); });
    return found;
}

bool FreeConnect::isThere(const void* who, const char* otherwise) { return who != nullptr || refuse(otherwise); }

} // namespace halyard
