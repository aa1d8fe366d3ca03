#include <halyard/net/socket_failure.h>

#include <system_error>

namespace halyard {

std::string SocketFailure::sentence(const std::string& who) const {
    const std::string reason = std::generic_category().message(cause);
    switch (what) {
    case What::Nothing:
        break;
    case What::Lookup:
        return who;
    case What::Connect:
        return "cannot connect to " + who + ": " + reason;
    case What::Proxy:
        return "cannot connect to " + who;
    case What::Broken:
        return "the connection to " + who + " broke: " + reason;
    case What::Closed:
        return who + " closed the connection";
    case What::NotConnected:
        return "the socket is not connected";
    case What::WritingIsOver:
        return "the socket's writing has been shut down";
    case What::WriteBufferFull:
        return "the write buffer is full: " + who + " does not take what it is sent";
    case What::Unsent:
        return "there is something left to send to " + who;
    case What::InUse:
        return "the socket is in use already";
    case What::Descriptor:
        return "this descriptor is no connected stream socket: " + reason;
    case What::Bind:
        return "cannot bind to " + who + ": " + reason;
    case What::Option:
        return "cannot set the option: " + reason;
    case What::File:
        return "cannot send the file: " + reason;
    case What::Wait:
        return "the time to wait is over";
    case What::ConnectWait:
        return "cannot connect to " + who + ": the time to wait is over";
    case What::ReadTimeout:
        return who + " was silent for too long";
    case What::WriteTimeout:
        return who + " took nothing of what it was sent for too long";
    case What::ClosingTimeout:
        return who + " did not take in time what was left to send";
    }
    return {};
}

} // namespace halyard
