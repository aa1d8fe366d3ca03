#pragma once

/// HALYARD_ADDRESS_SANITIZER, HALYARD_THREAD_SANITIZER and HALYARD_MEMORY_SANITIZER stand for what is compiled for one
/// of them: g++ says so in macros, clang by __has_feature().
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HALYARD_ADDRESS_SANITIZER
#endif
#if __has_feature(thread_sanitizer)
#define HALYARD_THREAD_SANITIZER
#endif
#if __has_feature(memory_sanitizer)
#define HALYARD_MEMORY_SANITIZER
#endif
#endif

#if defined(__SANITIZE_ADDRESS__) && !defined(HALYARD_ADDRESS_SANITIZER)
#define HALYARD_ADDRESS_SANITIZER
#endif
#if defined(__SANITIZE_THREAD__) && !defined(HALYARD_THREAD_SANITIZER)
#define HALYARD_THREAD_SANITIZER
#endif
