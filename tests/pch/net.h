#include "core.h"

#include <halyard/net/tcp_server.h>
#include <halyard/net/tcp_socket.h>

#include <plain_socket.h>
