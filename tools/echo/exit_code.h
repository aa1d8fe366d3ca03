#pragma once

namespace echo {

/// What the program's caller gets; --help tells the same.
enum ExitCode : int { Success = 0, Failure = 1, WrongUsage = 2 };

} // namespace echo
