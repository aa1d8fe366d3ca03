#include <halyard/core/object.h>

#include <halyard/core/event_loop.h>
#include <halyard/core/timer.h>

#include <logged.h>

#include <doctest/doctest.h>

#include <any>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

using namespace halyard;
using namespace halyard::test;
using namespace std::chrono_literals;

namespace {

struct Listening : Object {
    using Object::Object;
    bool event(Event& event) override {
        if (event.type() != Event::PropertyChanged)
            return Object::event(event);
        names.push_back(static_cast<PropertyEvent&>(event).propertyName());
        const auto running = then; // which it may replace
        running();
        return true;
    }
    std::vector<std::string> names;
    std::function<void()> then = [] {};
};

struct Leaf : Object {
    using Object::Object;
};

std::vector<std::string> textsOf(const std::vector<Logged::Line>& lines) {
    std::vector<std::string> texts;
    for (const Logged::Line& each : lines) {
        CHECK(each.level == LogLevel::Info);
        CHECK(each.area == "halyard.core");
        texts.push_back(each.text);
    }
    return texts;
}

/// Lets everything into the log while it lives.
struct Verbose {
    Verbose() { setLogLevel(LogLevel::Info); }
    Verbose(const Verbose&) = delete;
    Verbose& operator=(const Verbose&) = delete;
    ~Verbose() { setLogLevel(LogLevel::Warning); }
};

} // namespace

// --- properties ---

TEST_CASE("an object has the properties that it is given, in the order in which they were first set") {
    Listening object;
    CHECK(object.dynamicPropertyNames().empty());
    CHECK_FALSE(object.property("weight").has_value());
    CHECK(object.setProperty("weight", 3));
    CHECK(object.setProperty("colour", std::string("red")));
    CHECK(object.setProperty("weight", 4.5));
    CHECK(object.dynamicPropertyNames() == std::vector<std::string>{"weight", "colour"});
    CHECK(std::any_cast<double>(object.property("weight")) == 4.5);
    CHECK(std::any_cast<std::string>(object.property("colour")) == "red");
    CHECK(object.names == std::vector<std::string>{"weight", "colour", "weight"});
}

TEST_CASE("an empty value removes a property") {
    Listening object;
    CHECK_FALSE(object.setProperty("a", {}));
    object.setProperty("a", 1);
    object.setProperty("b", 2);
    CHECK(object.setProperty("a", {}));
    CHECK_FALSE(object.setProperty("a", {}));
    CHECK(object.dynamicPropertyNames() == std::vector<std::string>{"b"});
    CHECK(object.names == std::vector<std::string>{"a", "b", "a"});
    CHECK_FALSE(object.setProperty("", 1));
}

TEST_CASE("who is told of a property, and a value that goes, may do anything") {
    auto object = std::make_unique<Listening>();
    SUBCASE("change it again") {
        object->then = [&] {
            object->then = [] {};
            object->setProperty("a", 2);
        };
        CHECK(object->setProperty("a", 1));
        CHECK(std::any_cast<int>(object->property("a")) == 2);
    }
    SUBCASE("delete the object") {
        object->then = [&] { object.reset(); };
        CHECK(object->setProperty("a", 1));
        CHECK(object == nullptr);
    }
    SUBCASE("delete the object when a value goes") {
        std::shared_ptr<void> last(nullptr, [&](void*) { object.reset(); });
        object->setProperty("a", std::exchange(last, nullptr));
        CHECK(object->setProperty("a", 1));
        CHECK(object == nullptr);
    }
}

// --- finding ---

TEST_CASE("findChild finds by type and name, direct children before theirs") {
    Object root;
    Object first(&root);
    Leaf deep(&first);
    Leaf shallow(&root);
    CHECK(root.findChild<Leaf>() == &shallow);
    CHECK(root.findChild<Object>() == &first);
    CHECK(root.findChild<Timer>() == nullptr);
    deep.setObjectName("x");
    CHECK(root.findChild<Leaf>("x") == &deep);
    CHECK(root.findChild<Leaf>("x", FindOption::DirectChildrenOnly) == nullptr);
    CHECK(root.findChild<Leaf>("y") == nullptr);
    CHECK(first.findChild<Leaf>("x", Object::DirectChildrenOnly) == &deep);
    CHECK(root.findChild<const Leaf>("x") == &deep);
}

TEST_CASE("findChildren finds all, each before its own children") {
    Object root;
    Leaf a(&root);
    Leaf aa(&a);
    Object b(&root);
    Leaf bb(&b);
    for (Object* each : {static_cast<Object*>(&aa), &b, static_cast<Object*>(&bb)})
        each->setObjectName("n");
    CHECK(root.findChildren<Leaf>() == std::vector<Leaf*>{&a, &aa, &bb});
    CHECK(root.findChildren<Leaf>({}, Object::DirectChildrenOnly) == std::vector<Leaf*>{&a});
    CHECK(root.findChildren<Object>("n") == std::vector<Object*>{&aa, &b, &bb});
    CHECK(root.findChildren<Timer>().empty());
}

TEST_CASE("a single shot is nobody's child") {
    Object context;
    Timer::singleShot(1h, &context, [] {});
    CHECK(context.children().empty());
    CHECK(context.findChildren<Object>().empty());
}

// --- into the log ---

TEST_CASE("the tree is dumped a line each, below each other") {
    const Verbose verbose;
    Logged logged;
    Object root;
    root.setObjectName("root");
    Leaf leaf(&root);
    Timer timer(&leaf);
    timer.setObjectName("tick");
    root.dumpObjectTree();
    const auto lines = textsOf(logged.lines());
    REQUIRE(lines.size() == 3);
    CHECK(lines[0] == "halyard::Object \"root\"");
    CHECK(lines[1].starts_with("    "));
    CHECK(lines[1].ends_with("::Leaf"));
    CHECK(lines[2] == "        halyard::Timer \"tick\"");
}

TEST_CASE("what an object has is dumped a line each") {
    const Verbose verbose;
    Logged logged;
    Object root;
    Leaf leaf(&root);
    leaf.setProperty("weight", 1);
    const int id = leaf.startTimer(1h);
    leaf.installEventFilter(&root);
    leaf.destroyed.connect([] {});
    leaf.blockSignals(true);
    leaf.dumpObjectInfo();
    std::string all;
    for (const std::string& each : textsOf(logged.lines()))
        all += each + '\n';
    CHECK(all.find("parent: halyard::Object\n") != std::string::npos);
    CHECK(all.find("connections of destroyed: 1,") != std::string::npos);
    CHECK(all.find("blocked") != std::string::npos);
    CHECK(all.find("property: weight\n") != std::string::npos);
    CHECK(all.find("timer: " + std::to_string(id) + "\n") != std::string::npos);
    CHECK(all.find("event filter: halyard::Object\n") != std::string::npos);
    root.dumpObjectInfo();
    CHECK_FALSE(logged.lines().empty());
}
