# shellcheck shell=bash
# An echo server for the scripts beside this file, which source it.

: "${HALYARD_ECHO:?must name the tool}"
scratch=$(mktemp -d)
readonly scratch
server=

clean_up() {
    [[ -z $server ]] || kill -KILL "$server" 2>/dev/null || true
    rm -rf "$scratch"
}
trap clean_up EXIT

fail() {
    echo "failed: $*" >&2
    exit 1
}

skip() {
    echo "skipped: $*"
    exit 77
}

# within SECONDS COMMAND...: kills it when it takes longer, on this machine's scale.
within() {
    local seconds=$1
    shift
    timeout "$(awk -v s="$seconds" -v scale="${HALYARD_TEST_TIMEOUT_SCALE:-1}" 'BEGIN { print s * scale }')" "$@"
}

# start_server [OPTION...]: listens at $host:$port.
start_server() {
    local line
    mkfifo "$scratch/lines"
    "$HALYARD_ECHO" serve 127.0.0.1:0 "$@" >"$scratch/lines" &
    server=$!
    exec {lines}<"$scratch/lines"
    rm "$scratch/lines"
    IFS= read -r line <&"$lines" || fail "the server said nothing"
    [[ $line == 'listening on 127.0.0.1:'* ]] || fail "the server began with: $line"
    # shellcheck disable=SC2034 # for whoever sources this
    host=127.0.0.1 port=${line##*:}
}

# stop_server LINE: by SIGTERM; LINE is the last that it is to say.
stop_server() {
    local line last=
    kill -TERM "$server"
    while IFS= read -r line <&"$lines"; do
        last=$line
    done
    exec {lines}<&-
    wait "$server" || fail "the server ended with exit code $?"
    server=
    [[ $last == "$1" ]] || fail "the server's last line is '$last' instead of '$1'"
}

# expect WANTED GOT WHAT
expect() {
    [[ $2 == "$1" ]] || fail "$3: '$2' instead of '$1'"
}
