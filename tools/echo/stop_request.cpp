#include "stop_request.h"

namespace echo {

StopRequest::StopRequest() {
    struct sigaction action = {};
    action.sa_handler = &StopRequest::note;
    ::sigemptyset(&action.sa_mask);
    action.sa_flags = SA_RESTART; // writing to standard output is not to fail by it
    ::sigaction(SIGINT, &action, nullptr);
    ::sigaction(SIGTERM, &action, nullptr);
}

StopRequest::~StopRequest() {
    std::signal(SIGINT, SIG_DFL);
    std::signal(SIGTERM, SIG_DFL);
}

} // namespace echo
