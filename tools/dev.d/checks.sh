# shellcheck shell=bash
# The checks, each a function check_NAME that succeeds or explains itself on its output. Part of tools/dev.

readonly CHECKS=(format headers layers refusals werror tidy cppcheck hardening install daemon embedding qt costs proxies fuzz soak docs asan tsan)
# Those that take long, or ask what a change hardly ever touches: `check --full` runs them too.
readonly SLOW_CHECKS=(deb valgrind netem)

# What a check needs beyond what the tests need.
needs_of_check() {
    case $1 in
    format) echo clang-format ;;
    headers) echo g++ clang++ ;;
    refusals) echo clang++ clang-rt ;;
    werror) echo g++ clang++ clang-rt ;;
    tidy) echo clang++ clang-rt clang-tidy ;;
    cppcheck) echo cppcheck ;;
    hardening) echo g++ ;;
    valgrind) echo g++ valgrind ;;
    install) echo cmake ;;
    deb) echo dpkg-buildpackage debhelper lintian ;;
    daemon) echo g++ haproxy socket-activate promtool mandoc zsh ;;
    embedding) echo g++ asio glib libevent qt5 qt ;;
    qt) echo g++ qt ;;
    costs) echo valgrind strace ;;
    proxies) echo g++ danted microsocks tinyproxy squid ;;
    netem) echo g++ tc linux.uml modprobe ;;
    soak) echo g++ ;;
    fuzz) echo clang++ clang-rt ;;
    docs) echo "${DOCS_NEEDS[@]}" chromium ;;
    asan) echo clang++ clang-rt ;;
    tsan) echo clang++ clang-rt ;;
    esac
}

readonly AREAS=(signals core net adapters testing tools examples)

check_format() {
    find "${AREAS[@]}" tests \( -name '*.h' -o -name '*.cpp' \) -print0 |
        xargs -0 clang-format --dry-run -Werror --ferror-limit=2
}

check_headers() {
    configure_strict_gcc
    tests/headers/run "$strict_gcc" g++ clang++
}

check_layers() {
    tests/layers/run
}

# g++ is asked by the tests.
check_refusals() {
    configure_clang
    meson test -C build-clang --no-rebuild --print-errorlogs --suite compile_fail
}

check_werror() {
    configure_strict_gcc
    build "$strict_gcc"
    configure_clang
    build build-clang
}

# It reads what clang++ compiles as one, for most of what it says of each source alone would be of the same headers. The
# tests are left out: doctest's macros set off too much; the embedding examples too, for the other libraries' headers.
check_tidy() {
    configure_tsan
    grep -oE "\"($(IFS='|' && echo "${AREAS[*]}"))/[^\"]+-unity[0-9]+\.cpp\"" build-tsan/compile_commands.json |
        grep -v examples/embedding/ | (cd build-tsan && xargs -n 1 -P "$(processors)" clang-tidy --quiet -p .)
    # Two of its checks look at nothing that is included: the few sources that they are about it reads once more, alone.
    configure_clang
    find "${AREAS[@]}" -name '*.cpp' ! -path 'examples/embedding/*' -print0 |
        xargs -0 grep -lZE '^ *(using ([A-Za-z_0-9]*::)|namespace [A-Za-z_0-9]+ *=)' |
        xargs -0 -n 1 -P "$(processors)" clang-tidy --quiet --checks='-*,misc-unused-*-decls' -p build-clang
}

# Performance is left to clang-tidy, which says the same. Version 2.10 gives a file up where it reads 0ms (cppcheckError).
check_cppcheck() {
    cppcheck -q -j "$(processors)" --std=c++20 --language=c++ --library=posix --enable=warning,portability --inline-suppr \
        --suppress=cppcheckError --error-exitcode=1 --template='{file}:{line}: {severity}: {message} [{id}]' \
        -I{signals,core,net,adapters,testing}/include -Icore -Inet -Itools/echo signals core net tools testing
}

check_hardening() {
    configure_strict_gcc
    build "$strict_gcc" halyard-echo
    tests/hardening/run "$strict_gcc"
}

# What the address sanitizer does not see: memory that is read before anything was written to it.
# Tests that count allocations keep their own operator new: what is below it is seen all the same.
check_valgrind() {
    local options=(-q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite --fair-sched=yes
        --soname-synonyms=somalloc=nouserintercepts)
    configure_strict_gcc
    build "$strict_gcc"
    export HALYARD_TEST_TIMEOUT_SCALE=20 HALYARD_TEST_MEMORY_SCALE=20
    meson test -C "$strict_gcc" --no-rebuild --print-errorlogs --timeout-multiplier 20 \
        --suite signals --suite core --suite net --no-suite not_under_valgrind --wrapper "valgrind ${options[*]}"
}

# Each area is one unit: Meson counts the units of a static library wrong where they divide its sources evenly.
check_install() {
    configure build-install -Dunity_size=1000 --libdir=lib -Ddefault_library=both -Dtests=disabled -Dtools=enabled -Dexamples=false
    tests/install/run build-install
}

check_deb() {
    tests/install/deb
}

# The directory may have been configured before the libraries were installed, and Meson remembers what it did not find.
check_embedding() {
    configure_strict_gcc
    meson configure "$strict_gcc" --clearcache -Dembedding=enabled
    meson test -C "$strict_gcc" --print-errorlogs --suite embedding
}

# The tool among the programs that a daemon lives with: here none of these tests may be skipped.
check_daemon() {
    local names=(echo_balanced echo_installed echo_scraped echo_socket_activated)
    configure_strict_gcc
    build "$strict_gcc" halyard-echo
    meson test -C "$strict_gcc" --no-rebuild --print-errorlogs "${names[@]}" | tee build-check/daemon-tests.txt
    grep -qE "^Ok: +${#names[@]} *$" build-check/daemon-tests.txt
}

# The programs alone are built, where their library is built anyway.
check_qt() {
    configure_strict_gcc
    # It may have been configured before Qt was installed.
    grep -q qt_compare_qt "$strict_gcc/build.ninja" || meson setup --reconfigure "$strict_gcc"
    build "$strict_gcc" qt_compare_qt qt_compare_halyard qt_fortune_server
    meson test -C "$strict_gcc" --no-rebuild --print-errorlogs --suite qt_compare
}

check_costs() {
    configure_bench
    build build-bench bench_costs
    tests/bench/run build-bench --check
}

# The tests take the proxies that they find; here they must find them all.
check_proxies() {
    configure_strict_gcc
    build "$strict_gcc" test_net
    HALYARD_TEST_REAL_PROXIES=1 meson test -C "$strict_gcc" --no-rebuild --print-errorlogs real_proxies_test
}

# A network that delays and loses, which the machine's kernel may not have: here that test may not be skipped.
check_netem() {
    configure_strict_gcc
    build "$strict_gcc" tests/test_testing
    HALYARD_TEST_TIMEOUT_SCALE=10 tests/own_kernel/run "$strict_gcc/tests/test_testing" --no-colors \
        --test-case='a slow network that loses*' | tee build-check/netem-test.txt
    grep -q '1 passed' build-check/netem-test.txt && ! grep -q skipped: build-check/netem-test.txt
}

# Every target in tests/fuzz, as many at a time as there are processors, each for HALYARD_FUZZ_SECONDS: a minute in
# `check --full`. Else ten, but sockets in the hands of any program, which need longer, meet the known inputs.
check_fuzz() {
    local targets seconds=${HALYARD_FUZZ_SECONDS:-10}
    targets=$(cd tests/fuzz && basename -s .cpp -- *.cpp)
    configure_with clang++ build-fuzz -Dbuildtype=debug -Doptimization=1 -Dfuzz=true
    # shellcheck disable=SC2086 # names, one word each
    build build-fuzz $(printf 'fuzz_%s ' $targets)
    tests/fuzz/run build-fuzz "${HALYARD_FUZZ_SECONDS:-0}" stream_sockets
    # shellcheck disable=SC2086
    printf '%s\n' $targets | grep -vx stream_sockets |
        xargs -n 1 -P "$(processors)" tests/fuzz/run build-fuzz "$seconds"
}

# Ten seconds of it, which is enough to see that it still works; docs/reliability.md has half an hour.
check_soak() {
    configure_strict_gcc
    build "$strict_gcc" soak
    "$strict_gcc/tests/soak/soak" 0.15 1 50
    # It would find what is lost.
    local what
    for what in byte memory; do
        (! HALYARD_SOAK_BREAKS=$what "$strict_gcc/tests/soak/soak" 0.05 1 50 >"build-check/soak-$what.txt") || return 1
        grep -m 3 -E '^soak: WRONG: .*(other bytes|allocated)' "build-check/soak-$what.txt"
    done
}

# The reference is built without a warning, and reads well at both widths.
check_docs() {
    build_reference
    tests/reference/run build-docs/html
}

check_asan() {
    export ASAN_OPTIONS=abort_on_error=1:detect_stack_use_after_return=1:strict_string_checks=1
    export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
    configure_clang
    run_sanitized_tests build-clang --no-suite compile_fail
}

check_tsan() {
    export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:suppressions=$root/tests/support/tsan.supp
    # Where the kernel scatters mappings more widely than this sanitizer expects, it works only without that.
    if setarch -R true 2>/dev/null; then
        set -- --wrapper 'setarch -R'
    fi
    configure_tsan
    run_sanitized_tests build-tsan --no-suite one_thread "$@"
}

# run_sanitized_tests DIR [ARGUMENT of meson test]...
run_sanitized_tests() {
    export HALYARD_TEST_TIMEOUT_SCALE=4 HALYARD_TEST_MEMORY_SCALE=4
    run_tests "$1" --timeout-multiplier "$HALYARD_TEST_TIMEOUT_SCALE" "${@:2}"
}

# All that is clang's: each source stands alone, and includes what it uses; warnings are errors; and the programs run under
# its sanitizers of memory and of undefined behaviour.
configure_clang() {
    configure_sanitized build-clang address,undefined -Dunity=off -Db_pch=false -Dwerror=true
}

# clang's sanitizer of threads takes half the time that the one of g++ 12 takes, and so does its compiler.
configure_tsan() {
    configure_sanitized build-tsan thread
}

# configure_sanitized DIR SANITIZERS OPTION...: by clang, without its sanitizer of calls by pointer, with which version 14
# cannot compile coroutines. Lines are what reports name; the rest of the debug information takes long to write.
configure_sanitized() {
    configure_with clang++ "$1" -Db_sanitize="$2" -Db_lundef=false -Doptimization=1 -Ddebug=false \
        -Dcpp_args='-g1 -fno-sanitize=function' "${@:3}"
}

# The build where a warning of g++ is an error: the default one if it is that already (CI's is), or one beside it.
configure_strict_gcc() {
    if [[ -n ${HALYARD_WERROR:-} ]]; then
        strict_gcc=build
        configure_default
    else
        strict_gcc=build-gcc
        configure_with g++ build-gcc -Dwerror=true
    fi
}

# configure_with COMPILER DIR OPTION...
configure_with() {
    CXX=$(through_ccache "$1") configure "${@:2}" -Dtests=enabled -Dtools=enabled
}

# run_check NAME: one line when it passes, with its output when it fails; counts into checks_passed, checks_failed.
# Not to be called as a condition: `set -e` would not hold inside the check.
run_check() {
    local name=$1 log=build-check/$1.txt status began=$SECONDS
    mkdir -p build-check
    set +e
    (
        set -e
        "check_$name"
    ) >"$log" 2>&1 </dev/null
    status=$?
    set -e
    if [[ $status == 0 ]]; then
        echo "check $name: passed ($((SECONDS - began)) s)"
        checks_passed=$((checks_passed + 1))
        tally 1 0 0
    else
        echo "check $name: failed ($((SECONDS - began)) s), as $log says:"
        tail -n 200 "$log" | sed 's/^/    /'
        checks_failed=$((checks_failed + 1))
        tally 0 1 0
    fi
}
