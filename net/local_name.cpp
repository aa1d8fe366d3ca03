#include "local_name.h"

#include <algorithm>
#include <cerrno>

namespace halyard {

LocalName::LocalName(std::string_view name) noexcept {
    address.sun_family = AF_UNIX;
    const bool abstract = name.starts_with('@');
    // A path ends with a NUL, an abstract name begins with one.
    if (name.size() < (abstract ? 2U : 1U) || (!abstract && name.find('\0') != std::string_view::npos))
        error = EINVAL;
    else if (name.size() + (abstract ? 0U : 1U) > sizeof address.sun_path)
        error = ENAMETOOLONG;
    if (error != 0)
        return;
    std::ranges::copy(name, address.sun_path);
    if (abstract)
        address.sun_path[0] = '\0';
    size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size() + (abstract ? 0U : 1U));
}

std::string LocalName::of(const sockaddr& address, std::size_t size) {
    constexpr std::size_t start = offsetof(sockaddr_un, sun_path);
    if (address.sa_family != AF_UNIX || size <= start)
        return {};
    const char* const text = reinterpret_cast<const sockaddr_un&>(address).sun_path;
    std::string name(text, std::min(size - start, sizeof(sockaddr_un::sun_path)));
    if (name.front() == '\0')
        name.front() = '@';
    else
        name.erase(std::min(name.find('\0'), name.size()));
    return name;
}

} // namespace halyard
