#include "inheritance.h"

#include <algorithm>
#include <utility>

#include <unistd.h>

namespace echo {

Inheritance::~Inheritance() {
    for (const int each : takeRest())
        ::close(each);
}

std::vector<int> Inheritance::take(std::string name) {
    std::replace(name.begin(), name.end(), ':', '=');
    std::vector<int> taken;
    std::erase_if(all_, [&](const halyard::InheritedDescriptor& each) {
        if (each.name != name)
            return false;
        taken.push_back(each.number);
        return true;
    });
    return taken;
}

std::vector<int> Inheritance::takeRest() {
    std::vector<int> taken;
    for (const halyard::InheritedDescriptor& each : std::exchange(all_, {}))
        taken.push_back(each.number);
    return taken;
}

} // namespace echo
