#pragma once

#include <halyard/core/inherited_descriptors.h>

#include <string>
#include <vector>

namespace echo {

/// The listening sockets that this process was started with, by systemd or by its predecessor. What nobody takes is
/// closed in the end.
class Inheritance {
  public:
    Inheritance() : all_(halyard::takeInheritedDescriptors()) {}
    Inheritance(const Inheritance&) = delete;
    Inheritance& operator=(const Inheritance&) = delete;
    ~Inheritance();

    /// Those of this name; as Successor::give() has it.
    std::vector<int> take(std::string name);
    std::vector<int> takeRest();

  private:
    std::vector<halyard::InheritedDescriptor> all_;
};

} // namespace echo
