#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <sys/socket.h>
#include <sys/un.h>

namespace halyard {

/// The address that the name of a Unix-domain socket means: a path, or '@' and an abstract name (unix(7)).
struct LocalName {
    explicit LocalName(std::string_view name) noexcept;

    bool isAbstract() const noexcept { return address.sun_path[0] == '\0'; }
    const char* path() const noexcept { return address.sun_path; }
    const sockaddr* sockaddrPointer() const noexcept { return reinterpret_cast<const sockaddr*>(&address); }

    /// The name of what the kernel tells of; "" for a socket that has none, and for another family.
    static std::string of(const sockaddr& address, std::size_t size);

    sockaddr_un address{};
    socklen_t size = 0;
    int error = 0; ///< errno, where it is no name: EINVAL, ENAMETOOLONG
};

} // namespace halyard
