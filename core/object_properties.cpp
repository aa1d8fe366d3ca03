// What a program attaches to an object, and what it can see of one.
#include "object_extra.h"

#include <halyard/core/log.h>

#include <algorithm>
#include <cstdlib>
#include <typeinfo>
#include <utility>

#include <cxxabi.h>

namespace halyard {

std::any Object::property(std::string_view name) const {
    if (extra_ != nullptr)
        for (const auto& [itsName, value] : extra_->properties)
            if (itsName == name)
                return value;
    return {};
}

bool Object::setProperty(std::string_view name, std::any value) {
    if (name.empty() || (extra_ == nullptr && !value.has_value()) || dying_)
        return false;
    PropertyEvent changed{std::string(name)};
    auto& all = extra().properties;
    const auto known = std::find_if(all.begin(), all.end(), [&](const auto& each) { return each.first == name; });
    // The value that was there goes last: its destructor may do anything.
    if (known == all.end()) {
        if (!value.has_value())
            return false;
        all.emplace_back(name, std::move(value));
    } else {
        known->second.swap(value);
        if (!known->second.has_value())
            all.erase(known);
    }
    deliver(changed);
    return true;
}

std::vector<std::string> Object::dynamicPropertyNames() const {
    std::vector<std::string> names;
    if (extra_ != nullptr)
        for (const auto& each : extra_->properties)
            names.push_back(each.first);
    return names;
}

// --- into the log ---

/// Its class, and its name if it has one.
std::string Object::described() const {
    const char* const mangled = typeid(*this).name();
    const std::unique_ptr<char, void (*)(void*)> readable(abi::__cxa_demangle(mangled, nullptr, nullptr, nullptr),
                                                          &std::free);
    std::string text = readable != nullptr ? readable.get() : mangled;
    if (!objectName().empty())
        text.append(" \"").append(objectName()).append("\"");
    return text;
}

namespace {

void say(const std::string& line) { logMessage(LogLevel::Info, "halyard.core", line); }

} // namespace

void Object::dumpObjectTree() const {
    const auto dump = [](const auto& self, const Object& object, std::size_t depth) -> void {
        say(std::string(depth * 4, ' ') + object.described());
        for (const Object* const each : object.children())
            self(self, *each, depth + 1);
    };
    dump(dump, *this, 0);
}

void Object::dumpObjectInfo() const {
    say(described());
    say(parent_ != nullptr ? "    parent: " + parent_->described() : "    no parent");
    say("    children: " + std::to_string(children().size()));
    say("    connections of destroyed: " + std::to_string(destroyed.connectionCount()) +
        ", of objectNameChanged: " + std::to_string(objectNameChanged.connectionCount()));
    if (signalsBlocked())
        say("    its signals are blocked");
    if (extra_ == nullptr)
        return;
    for (const auto& [name, value] : extra_->properties)
        say("    property: " + name);
    for (const auto& each : extra_->timers)
        say("    timer: " + std::to_string(each->id()));
    for (auto each = extra_->filters.rbegin(); each != extra_->filters.rend(); ++each)
        if (*each)
            say("    event filter: " + (*each)->described());
}

} // namespace halyard
