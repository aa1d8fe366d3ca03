# shellcheck shell=bash
# The echo server and its client, talking. Part of tools/dev.

# demonstrate PROGRAM: two conversations, both sides of each, and how to have one by hand.
demonstrate() {
    local program=$1 address labelling
    server= scratch=$(mktemp -d)
    trap stop_demonstration EXIT

    # A named pipe and not `> >(label server)`, so that the last label can be waited for.
    mkfifo "$scratch/pipe"
    tee "$scratch/output" <"$scratch/pipe" | label server &
    labelling=$!
    "$program" serve 127.0.0.1:0 >"$scratch/pipe" 2>&1 &
    server=$!

    address=$(listening_address "$scratch/output") || die "the server did not say within 10 s where it listens."
    say "halyard-echo send $address 'hello from the other side'"
    "$program" send "$address" 'hello from the other side' 2>&1 | label client
    say "printf 'two lines\nof standard input\n' | halyard-echo send $address"
    printf 'two lines\nof standard input\n' | "$program" send "$address" 2>&1 | label client

    say "kill -TERM (the server)"
    kill -TERM "$server"
    wait "$server" || die "the server did not end cleanly on SIGTERM: exit code $?."
    server=
    wait "$labelling"
    explain_by_hand "$program"
}

stop_demonstration() {
    [[ -z $server ]] || kill "$server" 2>/dev/null || true
    rm -rf "$scratch"
}

# label NAME: prefixes each line, at once.
label() {
    local line
    while IFS= read -r line || [[ -n $line ]]; do
        printf '%s | %s\n' "$1" "$line"
    done
}

# listening_address FILE: the ADDRESS:PORT of the server's first line, as soon as it is there.
listening_address() {
    local deadline=$((SECONDS + 10)) first
    while ((SECONDS < deadline)); do
        if [[ -f $1 ]] && IFS= read -r first <"$1" && [[ $first == 'listening on '* ]]; then
            echo "${first#listening on }"
            return
        fi
        sleep 0.05
    done
    return 1
}

explain_by_hand() {
    cat <<END

By hand: start a server, it ends with Ctrl-C,

    $1 serve 127.0.0.1:7777

and talk to it from another terminal, by any of

    $1 send 127.0.0.1:7777 hello
    echo hello | nc -N 127.0.0.1 7777
    bash -c 'exec 3<>/dev/tcp/127.0.0.1/7777; echo hello >&3; head -n 1 <&3'
END
}
