#include <halyard/version.h>

namespace halyard {

const char* version() noexcept { return HALYARD_VERSION; }

} // namespace halyard
