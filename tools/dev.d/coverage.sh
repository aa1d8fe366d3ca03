# shellcheck shell=bash
# How much of the areas their tests execute. Part of tools/dev.

readonly COVERED_AREAS=(signals core net)
readonly LEAST_COVERED_LINES=95 # per cent

command_coverage() {
    local area status=0 ratio=(nice gcovr --root . --exclude-throw-branches --exclude-unreachable-branches)
    require "${TEST_NEEDS[@]}" g++ gcovr
    # Threads count together, which is slow where they meet: hence the patience.
    configure_with g++ build-coverage -Dbuildtype=debug -Doptimization=0 -Db_coverage=true \
        -Dcpp_args=-fprofile-update=atomic
    build build-coverage "${COVERED_AREAS[@]/#/test_}"
    find build-coverage -name '*.gcda' -delete
    # shellcheck disable=SC2046 # two words an area
    HALYARD_TEST_TIMEOUT_SCALE=${HALYARD_TEST_TIMEOUT_SCALE:-4} meson test -C build-coverage --no-rebuild \
        --print-errorlogs --timeout-multiplier 10 $(printf -- '--suite %s ' "${COVERED_AREAS[@]}") || return 1
    "${ratio[@]}" --object-directory build-coverage "${COVERED_AREAS[@]/#/--filter=}" --json build-coverage/coverage.json
    for area in "${COVERED_AREAS[@]}"; do
        "${ratio[@]}" --add-tracefile build-coverage/coverage.json --filter "$area/" --print-summary \
            --output "build-coverage/$area.txt" --fail-under-line "$LEAST_COVERED_LINES" \
            >build-coverage/summary.txt 2>/dev/null || status=1
        echo "$area: $(awk '/^(lines|branches):/ { sub(":", "", $1); print $2, "of", $1, $3, $4, $5, $6 }' \
            build-coverage/summary.txt | paste -sd ',' | sed 's/,/, /'): build-coverage/$area.txt"
    done
    [[ $status == 0 ]] || say "less than $LEAST_COVERED_LINES % of the lines of an area are executed."
    return "$status"
}
