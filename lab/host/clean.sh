# shellcheck shell=bash
# One environment, whatever the user's shell says, and the engine that it names. lab/environment.py and
# lab/engine.py are the same for the lab's own commands.

SOCKET=unix:///var/run/docker.sock
UNREADABLE="unreadable "

# Starts host.sh anew with the names of environment.txt and what the lab itself says, nothing else.
start_clean() { # start_clean <folder it was called in> <word>...
    local called_in=$1 names name value passing=()
    shift
    names=$(grep '^[A-Za-z_]' lab/environment.txt | tr '\n' '|')
    for name in $(compgen -e); do
        [[ $name == @(${names%|}) ]] || continue
        value=${!name}
        case $name:$value in
            *:) continue ;;
            LAB_FILE:/* | LAB_CACHE:/*) ;;
            LAB_FILE:* | LAB_CACHE:*) value=$called_in/$value ;;
        esac
        passing+=("$name=$value")
    done
    find_engine
    exec env -i "HOME=$(users_home)" "${passing[@]}" \
        "PATH=${PATH:-/usr/bin:/bin}:/usr/local/sbin:/usr/sbin:/sbin" LANG=C.UTF-8 LC_ALL=C.UTF-8 \
        "DOCKER_HOST=$engine" "DOCKER_CONFIG=$PWD/.lab/docker" "ENGINE_BY=$engine_by" "ENGINE_UNDO=$engine_undo" \
        "CLEAN=$$" "$BASH" -p lab/host.sh "$@"
}

users_home() { (
    unset HOME
    echo ~ # as the system knows it
); }

# The engine that DOCKER_HOST, a context, or nothing names: its address in $engine, who says so in $engine_by.
find_engine() {
    local folder=${DOCKER_CONFIG:-${HOME:-$(users_home)}/.docker} context=${DOCKER_CONTEXT:-}
    engine=${DOCKER_HOST:-} engine_by=DOCKER_HOST engine_undo="unset DOCKER_HOST"
    [ -z "$engine" ] || return 0
    engine_by=DOCKER_CONTEXT engine_undo="unset DOCKER_CONTEXT"
    if [ -z "$context" ]; then
        context=$(json_text currentContext "$folder/config.json")
        engine_by="the current context" engine_undo="docker context use default"
    fi
    engine=$SOCKET
    case $context in "" | default) return ;; esac
    context_engine "$folder/contexts/meta/$(printf %s "$context" | sha256sum | cut -d' ' -f1)/meta.json"
    engine_by="$engine_by \"$context\""
}

context_engine() { # context_engine <file of a context>
    local endpoint
    endpoint=$({ cat "$1" 2>/dev/null || true; } | tr -d '\n' | sed -n 's/.*"docker" *: *\({[^}]*}\).*/\1/p')
    if [ -z "$endpoint" ]; then
        engine=$UNREADABLE$1
    else
        engine=$(json_text Host /dev/stdin <<<"$endpoint")
        engine=${engine:-$SOCKET}
    fi
}

json_text() { # json_text <name> <file>: the text of that name, "" without one
    { cat "$2" 2>/dev/null || true; } | tr -d '\n' | sed -n "s/.*\"$1\" *: *\"\\([^\"]*\\)\".*/\\1/p"
}

refuse_other_engine() {
    case $DOCKER_HOST in
        unix://*) ;;
        "$UNREADABLE"*)
            stop 4 "${ENGINE_BY% *} names the Docker context ${ENGINE_BY##* }, which cannot be read" \
                "  last seen: ${DOCKER_HOST#"$UNREADABLE"}" "  try next:  $ENGINE_UNDO"
            ;;
        *)
            stop 4 "$ENGINE_BY names the Docker engine $DOCKER_HOST: the lab runs on this host's own engine" \
                "  try next:  $ENGINE_UNDO"
            ;;
    esac
}
