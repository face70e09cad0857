#!/usr/bin/env -S LC_ALL=C.UTF-8 bash -p
# Makes this host able to run the lab: programs, a Docker engine that answers, Go, and .venv.
#
#   lab/host.sh              all of it (make lab-up runs it first)
#   lab/host.sh --venv-only  only .venv: needs no Docker and no sudo (make unit, make lint)
#   lab/host.sh --browser    .venv, a Chromium and tmux, for the features that look at pages and type (make features, make test)
#   lab/host.sh --go         .venv and Go, for what checks the workflows (make lint-ci)
#   lab/host.sh --bundle FILE, --from http://HOST:PORT
#                            all of it from a bundle, without a network (make lab-up BUNDLE=FILE or FROM=URL)
#   lab/host.sh --packages   does nothing: prints the distribution's packages that a host may lack
#
# Says nothing when nothing is to be done. LAB_YES=1 answers yes to "may I use sudo"; LAB_PATIENCE=3 waits three
# times as long. Exit: 1 the bundle is refused, 2 usage, 3 Docker or libvirt did not answer in time, 4 this host cannot run
# the lab as it is.
set -euo pipefail
unset CDPATH
called_in=$PWD
cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
umask 022 # nodes read the playbooks and the cache as other users
. lab/host/clean.sh
. lab/host/packages.sh
. lab/host/bundle.sh
. lab/host/venv.sh
. lab/host/libvirt.sh

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

as_root() {
    local name proxies=() # which sudo drops
    if [ "$(id -u)" = 0 ]; then
        "$@"
        return
    fi
    for name in http_proxy https_proxy no_proxy; do [ -z "${!name:-}" ] || proxies+=("$name=${!name}"); done
    sudo env "${proxies[@]}" "$@"
}

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

# --- what is refused before anything is done ---

refuse_other_system() {
    [ "$(uname -s)" = Linux ] || stop 4 "The lab needs Linux: its addresses are on a bridge of this host." \
        "Use a Linux machine with: docker.io vagrant debootstrap python3-venv iproute2 openssh-client rsync curl"
    case $PWD in
        *[:%~\"]*) stop 4 "This checkout is in $PWD, and Python, Docker or SSH take a : % ~ or \" in a path for a sign of theirs." \
            "  try next:  move it to a folder without them" ;;
    esac
}

# How many times longer than elsewhere things may take here, rounded up.
read_patience() {
    local said=${LAB_PATIENCE:-1}
    if [[ $said =~ ^([1-9][0-9]?|100)(\.0*)?$ ]]; then
        patience=${BASH_REMATCH[1]}
    elif [[ $said =~ ^([1-9][0-9]?)\.[0-9]+$ ]]; then
        patience=$((BASH_REMATCH[1] + 1))
    else
        stop 2 "LAB_PATIENCE is '${said:0:40}'" "  try next:  a number from 1 to 100, such as LAB_PATIENCE=3"
    fi
}

# Root's files in a user's checkout break half of what comes after, and a user's under root the same.
refuse_foreign_files() {
    local owner found one kept=()
    for one in .venv .lab .vagrant .*_cache *.egg-info "${LAB_CACHE:-$HOME/.cache/bluegreen-lab}"; do
        if [ -e "$one" ]; then kept+=("$one"); fi
    done
    [ ${#kept[@]} != 0 ] || return 0
    found=$(find "${kept[@]}" ! -user "$(id -u)" -print -quit 2>/dev/null || true)
    [ -n "$found" ] || return 0
    owner=$(stat -c %U "$found")
    stop 4 "$found belongs to $owner, and this is $(id -un): the lab was brought up here as both." \
        "  try next:  sudo chown -R $(id -un): ${kept[*]@Q}   or go on as $owner"
}

# --- the Docker engine ---

docker_says() { timeout $((10 * patience)) docker version --format '{{.Server.Version}}' 2>&1; }
docker_answers() { docker_says >/dev/null; }
wait_for_docker() { # wait_for_docker <seconds>
    local end=$((SECONDS + $1 * patience))
    until docker_answers; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.3
    done
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
    [ "$DOCKER_HOST" = "$SOCKET" ] || stop 4 "no Docker engine answers at $DOCKER_HOST" \
        "  last seen: $said" "  try next:  start it, or: $ENGINE_UNDO"
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
    say "Docker did not answer in $((DOCKER_SECONDS * patience)) s (LAB_PATIENCE=3 waits longer)." \
        "The last lines of its log:"
    "$@" >&2 || true
    exit 3
}

case $#${1:-} in
    0 | 1--venv-only | 1--browser | 1--go | 1--packages) ;;
    2--bundle)
        case $2 in /*) ;; *) set -- --bundle "$called_in/$2" ;; esac
        [ -f "$2" ] || stop 2 "there is no bundle $2"
        bundle=$2
        ;;
    2--from) bundle=$2 ;;
    *) stop 2 "usage: lab/host.sh [--venv-only | --browser | --go | --bundle FILE | --from URL | --packages]" ;;
esac
[ "${CLEAN:-}" = $$ ] || start_clean "$called_in" "$@"

refuse_other_system
read_patience
refuse_foreign_files
case ${1:-} in
    --venv-only) make_venv ;;
    --browser)
        make_venv
        make_browser
        ;;
    --packages) needed_packages ;;
    --go)
        make_venv
        make_go
        ;;
    *)
        refuse_unknown_provider
        refuse_other_engine
        # shellcheck disable=SC2046 # one word a package
        install $(missing_programs) $(missing_for_libvirt)
        start_docker
        start_libvirt
        make_venv
        make_go_to_build
        ;;
esac
