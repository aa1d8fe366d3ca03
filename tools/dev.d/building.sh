# shellcheck shell=bash
# Configuring, building, testing and counting. Part of tools/dev.

# Every build directory that tools/dev makes; `clean` removes these and no other.
readonly BUILD_DIRS=(build build-gcc build-clang build-tsan build-coverage build-fuzz build-install build-bench build-check build-docs)

# configure DIR OPTION...: with these options; a directory that somebody set up by hand is taken as it is. A few sources
# at a time are one for the compiler, unless an option says otherwise: most of what each alone costs are the same headers.
configure() {
    local dir=$1 wanted
    shift
    set -- -Dunity=on -Dunity_size=8 "$@"
    wanted="$root: CXX=${CXX:-} $*"
    if [[ -f $dir/build.ninja ]]; then
        [[ -f $dir/options-of-dev && $(<"$dir/options-of-dev") != "$wanted" ]] || return 0
        rm -rf "$dir"
    fi
    meson setup "$dir" "$@"
    echo "$wanted" >"$dir/options-of-dev"
}

# forget_missing_peers DIR: Meson remembers what it did not find, so a peer that has come since needs a new directory.
forget_missing_peers() {
    local peer missing=()
    [[ ! -f $1/tests/bench/programs.txt ]] ||
        read -ra missing < <(sed -n 's/^absent [a-z]*://p' "$1/tests/bench/programs.txt" | xargs) || true
    for peer in "${missing[@]}"; do
        if is_there "$peer"; then
            rm -rf "$1"
            return
        fi
    done
}

# The build that people use, and that `run` and `test` share. Warnings stop it where HALYARD_WERROR says so.
configure_default() {
    configure build -Dbuildtype=debugoptimized -Dtests=enabled -Dtools=enabled ${HALYARD_WERROR:+-Dwerror=true}
}

# The build in which cost is measured, as `meson setup` makes it for everybody; of its programs only those are built that
# are asked for.
configure_bench() {
    configure build-bench -Dunity=off -Dbuildtype=release -Dbench=true -Dtests=enabled -Dtools=enabled
}

# through_ccache COMPILER: Meson looks for ccache by itself only as long as nobody names the compiler.
through_ccache() {
    if command -v ccache >/dev/null; then
        echo "ccache $1"
    else
        echo "$1"
    fi
}

# build DIR [TARGET...]
build() {
    meson compile -C "$@"
}

# run_tests DIR [ARGUMENT of meson test]...: builds, runs and counts into tests_passed, tests_failed, tests_skipped.
# Fails when a test failed, and when none ran.
run_tests() {
    local dir=$1 output=$1/output-of-dev.txt status=0
    shift
    tests_passed=0 tests_failed=1 tests_skipped=0
    build "$dir" || return 1
    meson test -C "$dir" --no-rebuild --print-errorlogs "$@" 2>&1 | tee "$output" || status=$?
    read -r tests_passed tests_failed tests_skipped < <(count_tests <"$output")
    # A runner that broke down, or had nothing to run, must be seen in the sum.
    if [[ $tests_failed == 0 && ($status != 0 || $tests_passed == 0) ]]; then
        tests_failed=1
    fi
    tally "$tests_passed" "$tests_failed" "$tests_skipped"
    [[ $tests_failed == 0 ]]
}

# Meson's summary is one line for each kind of outcome.
count_tests() {
    awk -F: '
        /^(Ok|Expected Fail): +[0-9]+ *$/ { passed += $2 }
        /^(Fail|Unexpected Pass|Timeout): +[0-9]+ *$/ { failed += $2 }
        /^Skipped: +[0-9]+ *$/ { skipped += $2 }
        END { print passed + 0, failed + 0, skipped + 0 }'
}

# tally PASSED FAILED SKIPPED: whoever runs several commands (.ci/run) names a file in HALYARD_TALLY and sums it up.
tally() {
    if [[ -n ${HALYARD_TALLY:-} ]]; then
        echo "$@" >>"$HALYARD_TALLY"
    fi
}

# conclude PASSED FAILED SKIPPED: the last line, left to the one who asked for a tally where somebody did.
conclude() {
    [[ -n ${HALYARD_TALLY:-} ]] || result_line "$@"
}

result_line() {
    local line="$1 passed, $2 failed"
    [[ $3 == 0 ]] || line+=", $3 skipped"
    echo "$line"
}

processors() {
    getconf _NPROCESSORS_ONLN
}
