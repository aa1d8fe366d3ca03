# shellcheck shell=bash
# What a command needs: how to see whether it is there, and which package brings it. Part of tools/dev.

# "-" is for what comes along with something else, or cannot be had that way. Only the apt-get column has been tried.
package_table() {
    cat <<'TABLE'
thing         apt-get           dnf                 brew
compiler      g++               gcc-c++             -
meson         meson             meson               meson
ninja         ninja-build       ninja-build         ninja
pkg-config    pkg-config        pkgconf-pkg-config  pkgconf
libuv         libuv1-dev        libuv-devel         libuv
spdlog        libspdlog-dev     spdlog-devel        spdlog
doctest       doctest-dev       doctest-devel       doctest
cli11         libcli11-dev      cli11-devel         cli11
json          nlohmann-json3-dev json-devel         nlohmann-json
nc            netcat-openbsd    nmap-ncat           -
socat         socat             socat               socat
haproxy       haproxy           haproxy             haproxy
socket-activate systemd         systemd             -
promtool      prometheus        -                   prometheus
mandoc        mandoc            mandoc              mandoc
zsh           zsh               zsh                 zsh
nss_wrapper   libnss-wrapper    nss_wrapper         -
nft           nftables          nftables            -
tc            iproute2          iproute-tc          -
linux.uml     user-mode-linux   -                   -
modprobe      kmod              kmod                -
g++           g++               gcc-c++             -
clang++       clang             clang               -
clang-format  clang-format      clang-tools-extra   clang-format
clang-tidy    clang-tidy        clang-tools-extra   llvm
danted        dante-server      dante-server        -
microsocks    microsocks        microsocks          -
tinyproxy     tinyproxy         tinyproxy           -
squid         squid             squid               -
clang-rt      libclang-rt-dev   compiler-rt         -
gcovr         gcovr             gcovr               gcovr
cppcheck      cppcheck          cppcheck            cppcheck
valgrind      valgrind          valgrind            -
strace        strace            strace              -
qt            qt6-base-dev      qt6-qtbase-devel    qt
qt5           qtbase5-dev       qt5-qtbase-devel    qt@5
boost         libboost-dev      boost-devel         boost
sigcpp        libsigc++-3.0-dev libsigc++30-devel   libsigc++
cmake         cmake             cmake               cmake
dpkg-buildpackage dpkg-dev      -                   -
debhelper     debhelper         -                   -
lintian       lintian           -                   -
doxygen       doxygen           doxygen             doxygen
dot           graphviz          graphviz            graphviz
chromium      chromium          chromium            chromium
python3       python3           python3             python
asio          libasio-dev       asio-devel          asio
glib          libglib2.0-dev    glib2-devel         glib
libevent      libevent-dev      libevent-devel      libevent
TABLE
}

readonly BUILD_NEEDS=(compiler meson ninja pkg-config libuv spdlog doctest cli11 json)
readonly TEST_NEEDS=("${BUILD_NEEDS[@]}" nc socat nss_wrapper nft tc)
readonly DOCS_NEEDS=(doxygen dot python3)
readonly BENCH_PEERS=(qt boost sigcpp asio libevent)

# Things are looked for themselves, not for their packages: whoever has them from elsewhere is not asked to install.
is_there() {
    case $1 in
    danted | squid | nft | tc | modprobe) PATH=$PATH:/usr/sbin command -v "$1" ;;
    clang-rt) has_clang_runtime ;;
    compiler) builds_program ;;
    libuv | spdlog) pkg-config --exists "$1" ;;
    qt) pkg-config --exists Qt6Core Qt6Network ;;
    qt5) pkg-config --exists Qt5Core ;;
    debhelper) command -v dh ;;
    glib) pkg-config --exists glib-2.0 ;;
    libevent) pkg-config --exists libevent_core ;;
    boost) finds_header boost/signals2.hpp ;;
    sigcpp) pkg-config --exists sigc++-3.0 || pkg-config --exists sigc++-2.0 ;;
    asio) finds_header asio.hpp ;;
    doctest) finds_header doctest/doctest.h ;;
    cli11) finds_header CLI/CLI.hpp ;;
    haproxy) PATH=$PATH:/usr/sbin command -v haproxy ;;
    socket-activate) command -v systemd-socket-activate ;;
    json) finds_header nlohmann/json.hpp ;;
    nss_wrapper) [[ $(uname) != Linux ]] || pkg-config --exists nss_wrapper ;; # its test is skipped elsewhere
    ninja) command -v ninja || command -v ninja-build ;;
    *) command -v "$1" ;;
    esac >/dev/null 2>&1
}

builds_program() {
    echo 'int main() {}' | compile -x c++ "$@" -o /dev/null -
}

has_clang_runtime() {
    echo 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }' |
        CXX=clang++ compile -x c++ -fsanitize=fuzzer,address,undefined -o /dev/null -
}

finds_header() {
    printf '#if !__has_include(<%s>)\n#error missing\n#endif\n' "$1" | compile -x c++ -E -
}

# CXX may be two words, "ccache g++".
compile() {
    local compiler
    read -ra compiler <<<"${CXX:-c++}"
    "${compiler[@]}" -std=c++20 "$@"
}

# require THING...: installs those that are missing; with nothing missing it asks no network and no package manager.
require() {
    local thing missing=()
    for thing; do
        is_there "$thing" || missing+=("$thing")
    done
    [[ ${#missing[@]} -gt 0 ]] || return 0

    local manager packages
    manager=$(package_manager) ||
        die "missing here: ${missing[*]}. Please install what brings them (no apt-get, dnf or brew found)."
    packages=$(packages_for "$manager" "${missing[@]}")
    [[ " $packages " != *" - "* ]] || die "missing here, and $manager has no package for all of them: ${missing[*]}."
    say "installing with $manager: $packages"
    # shellcheck disable=SC2086 # names of packages, one word each
    install_packages "$manager" $packages >/dev/null || die "$manager could not install: $packages."

    hash -r
    for thing in "${missing[@]}"; do
        is_there "$thing" || die "$manager installed its packages, but $thing is still not found."
    done
}

# wish THING...: as require, but what cannot be had is done without, with a word.
wish() {
    local thing
    for thing; do
        (require "$thing") || say "going on without $thing."
    done
}

package_manager() {
    local manager
    for manager in apt-get dnf brew; do
        if command -v "$manager" >/dev/null; then
            echo "$manager"
            return
        fi
    done
    return 1
}

# packages_for MANAGER THING...: each package once, in one line.
packages_for() {
    package_table | awk -v manager="$1" -v things=" ${*:2} " '
        NR == 1 { for (i = 2; i <= NF; i++) if ($i == manager) column = i }
        NR > 1 && index(things, " " $1 " ") && !seen[$column]++ { line = line separator $column; separator = " " }
        END { print line }'
}

install_packages() {
    local manager=$1
    shift
    case $manager in
    apt-get)
        # An empty list of packages knows none of them, an old one names files that the mirror no longer has.
        if ! apt-cache show "$@" >/dev/null 2>&1; then
            apt_get update && apt_get install "$@"
        else
            apt_get install "$@" || { apt_get update && apt_get install "$@"; }
        fi
        ;;
    dnf) as_root dnf install -y "$@" ;;
    brew) brew install "$@" ;;
    esac
}

apt_get() {
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get -qq -y --no-install-recommends -o DPkg::Lock::Timeout=120 -o Dpkg::Use-Pty=0 "$@"
}

as_root() {
    if [[ $(id -u) == 0 ]]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "installing needs root, and there is no sudo here."
    fi
}
