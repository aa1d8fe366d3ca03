#include <halyard/net/socket_types.h>

#include <doctest/doctest.h>

#include <cctype>
#include <cerrno>
#include <ostream>
#include <set>
#include <string>
#include <system_error>
#include <type_traits>

using halyard::SocketError;
using halyard::socketErrorFromErrno;
using halyard::SocketState;

static_assert(std::is_error_code_enum_v<SocketError>);
static_assert(std::is_nothrow_constructible_v<std::error_code, SocketError>);
static_assert(std::is_convertible_v<SocketError, std::error_code>);
static_assert(!std::is_convertible_v<SocketError, int>);
static_assert(noexcept(socketErrorFromErrno(0)) && noexcept(halyard::socketCategory()));
static_assert(noexcept(nameOf(SocketError::None)) && noexcept(nameOf(SocketState::Unconnected)));
static_assert(static_cast<int>(SocketError::None) == 0, "a std::error_code of it is false");

namespace {

constexpr int errorCount = static_cast<int>(SocketError::Unknown) + 1;

} // namespace

TEST_CASE("a socket error becomes an error code by itself") {
    const std::error_code code = SocketError::ConnectionRefused;
    CHECK(code);
    CHECK(code == SocketError::ConnectionRefused);
    CHECK(code != SocketError::HostNotFound);
    CHECK(code.category() == halyard::socketCategory());
    CHECK(std::string(code.category().name()) == "halyard.socket");
    CHECK(code.message() == "connection refused");
    CHECK_FALSE(std::error_code(SocketError::None));
}

TEST_CASE("every error has a name and a message of its own") {
    std::set<std::string> names;
    std::set<std::string> messages;
    for (int value = 0; value < errorCount; ++value) {
        const auto error = static_cast<SocketError>(value);
        const std::string message = make_error_code(error).message();
        CAPTURE(message);
        REQUIRE_FALSE(message.empty());
        CHECK(std::islower(static_cast<unsigned char>(message.front())));
        CHECK(message.back() != '.');
        CHECK_FALSE(nameOf(error).empty());
        names.insert(std::string(nameOf(error)));
        messages.insert(message);
    }
    CHECK(names.size() == errorCount);
    CHECK(messages.size() == errorCount);
    CHECK(nameOf(SocketError::None) == "None");
    CHECK(nameOf(SocketError::ProxyProtocol) == "ProxyProtocol");
    CHECK(nameOf(SocketError::Unknown) == "Unknown");
}

TEST_CASE("a number that is no error has no name, and an unknown message") {
    for (const int value : {-1, errorCount, 1 << 30}) {
        CAPTURE(value);
        CHECK(nameOf(static_cast<SocketError>(value)).empty());
        const std::error_code code(value, halyard::socketCategory());
        CHECK(code.message() == "unknown error");
        CHECK(code.default_error_condition().category() == halyard::socketCategory());
    }
}

TEST_CASE("every state has its name") {
    CHECK(nameOf(SocketState::Unconnected) == "Unconnected");
    CHECK(nameOf(SocketState::HostLookup) == "HostLookup");
    CHECK(nameOf(SocketState::Connecting) == "Connecting");
    CHECK(nameOf(SocketState::Connected) == "Connected");
    CHECK(nameOf(SocketState::Bound) == "Bound");
    CHECK(nameOf(SocketState::Listening) == "Listening");
    CHECK(nameOf(SocketState::Closing) == "Closing");
    CHECK(nameOf(static_cast<SocketState>(7)).empty());
}

TEST_CASE("errors equal the standard condition that says the same") {
    struct Row {
        SocketError error;
        std::errc condition;
    };
    const Row rows[] = {
        {SocketError::ConnectionRefused, std::errc::connection_refused},
        {SocketError::RemoteHostClosed, std::errc::connection_reset},
        {SocketError::SocketAccess, std::errc::permission_denied},
        {SocketError::SocketTimeout, std::errc::timed_out},
        {SocketError::DatagramTooLarge, std::errc::message_size},
        {SocketError::AddressInUse, std::errc::address_in_use},
        {SocketError::SocketAddressNotAvailable, std::errc::address_not_available},
        {SocketError::UnsupportedSocketOperation, std::errc::operation_not_supported},
        {SocketError::UnfinishedSocketOperation, std::errc::operation_in_progress},
        {SocketError::ProxyConnectionRefused, std::errc::connection_refused},
        {SocketError::ProxyConnectionClosed, std::errc::connection_reset},
        {SocketError::ProxyConnectionTimeout, std::errc::timed_out},
        {SocketError::ProxyProtocol, std::errc::protocol_error},
        {SocketError::Temporary, std::errc::resource_unavailable_try_again},
    };
    std::set<SocketError> mapped;
    for (const Row& row : rows) {
        CAPTURE(nameOf(row.error));
        CHECK(make_error_code(row.error) == row.condition);
        mapped.insert(row.error);
    }
    for (int value = 0; value < errorCount; ++value) {
        const auto error = static_cast<SocketError>(value);
        CAPTURE(nameOf(error));
        const std::error_condition condition = make_error_code(error).default_error_condition();
        CHECK((condition.category() == std::generic_category()) == mapped.contains(error));
    }
}

TEST_CASE("errno values map to the error that a user acts on") {
    struct Row {
        int errorNumber;
        SocketError error;
    };
    const Row rows[] = {
        {0, SocketError::None},
        {ECONNREFUSED, SocketError::ConnectionRefused},
        {ECONNRESET, SocketError::RemoteHostClosed},
        {EPIPE, SocketError::RemoteHostClosed},
        {EACCES, SocketError::SocketAccess},
        {EPERM, SocketError::SocketAccess},
        {EROFS, SocketError::SocketAccess},
        {ENOENT, SocketError::HostNotFound},
        {EMFILE, SocketError::SocketResource},
        {ENFILE, SocketError::SocketResource},
        {ENOBUFS, SocketError::SocketResource},
        {ENOMEM, SocketError::SocketResource},
        {ETIMEDOUT, SocketError::SocketTimeout},
        {EMSGSIZE, SocketError::DatagramTooLarge},
        {ENETUNREACH, SocketError::Network},
        {EHOSTUNREACH, SocketError::Network},
        {ENETDOWN, SocketError::Network},
        {EHOSTDOWN, SocketError::Network},
        {ENETRESET, SocketError::Network},
        {ECONNABORTED, SocketError::Network},
        {EADDRINUSE, SocketError::AddressInUse},
        {EADDRNOTAVAIL, SocketError::SocketAddressNotAvailable},
        {ENAMETOOLONG, SocketError::SocketAddressNotAvailable},
        {ENOTDIR, SocketError::SocketAddressNotAvailable},
        {ELOOP, SocketError::SocketAddressNotAvailable},
        {EBADF, SocketError::UnsupportedSocketOperation},
        {ENOTSOCK, SocketError::UnsupportedSocketOperation},
        {EINVAL, SocketError::UnsupportedSocketOperation},
        {EPROTOTYPE, SocketError::UnsupportedSocketOperation},
        {EPROTO, SocketError::UnsupportedSocketOperation},
        {EOPNOTSUPP, SocketError::UnsupportedSocketOperation},
        {ENOPROTOOPT, SocketError::UnsupportedSocketOperation},
        {EAFNOSUPPORT, SocketError::UnsupportedSocketOperation},
        {EPROTONOSUPPORT, SocketError::UnsupportedSocketOperation},
        {EINPROGRESS, SocketError::UnfinishedSocketOperation},
        {EALREADY, SocketError::UnfinishedSocketOperation},
        {EISCONN, SocketError::Operation},
        {ENOTCONN, SocketError::Operation},
        {EAGAIN, SocketError::Temporary},
        {EWOULDBLOCK, SocketError::Temporary},
        {EINTR, SocketError::Temporary},
        {ENOSPC, SocketError::Unknown},
        {-ECONNREFUSED, SocketError::Unknown},
        {1 << 30, SocketError::Unknown},
    };
    for (const Row& row : rows) {
        CAPTURE(row.errorNumber);
        CHECK(socketErrorFromErrno(row.errorNumber) == row.error);
    }
}
