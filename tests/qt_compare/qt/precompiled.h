// What is compiled once for all files of the program: it is most of what there is to compile.
#include "dialect.h"

#include <functional>
#include <plain_socket.h>
#include <thread>
#include <vector>
