#pragma once

/// HALYARD_API marks what the shared library shows to its users; everything else in it is hidden.
#define HALYARD_API __attribute__((visibility("default")))
