# bash completion for halyard-echo
_halyard_echo() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command="" word
    local common='--config --help --version'
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case $word in serve | send | bench) command=$word && break ;; esac
    done
    COMPREPLY=()
    case $previous in
    --config)
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
        ;;
    --log)
        mapfile -t COMPREPLY < <(compgen -W 'lines text json journald' -- "$current")
        return
        ;;
    --log-level)
        mapfile -t COMPREPLY < <(compgen -W 'debug info warning error' -- "$current")
        return
        ;;
    esac
    local words=$common
    case $command in
    serve)
        words+=' --listen --threads --max-clients --max-clients-per-address --max-queued --idle-timeout'
        words+=' --write-timeout --proxy-protocol --header-timeout --drain --drain-delay --metrics --log --log-level --blocking --check systemd unix: fd:'
        ;;
    send) words+=' --verify --timeout --proxy unix:' ;;
    bench)
        words+=' --connections --size --depth --rate --per-connection --warm-up --duration --json unix:'
        ;;
    *) words+=' serve send bench' ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -F _halyard_echo halyard-echo
