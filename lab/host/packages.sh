# shellcheck shell=bash
# What this host lacks, from the distribution's own packages. What it does not have, or has too old, is the vendor's:
# then the commands are printed, and nothing of them is run.

PYTHONS="python3 python3.15 python3.14 python3.13 python3.12 python3.11"
VAGRANT_LEAST=2.3
apt=() lists=/var/lib/apt/lists # apt's own settings and sources

# A Python for .venv: new enough, and able to make one.
usable_python() {
    local python
    for python in $PYTHONS; do
        if "$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$python"
            return
        fi
    done
    return 1
}

# What a bundle holds, by the names of Debian's packages; zstd unpacks it.
NEEDED="docker.io docker-cli vagrant debootstrap debian-archive-keyring python3-venv iproute2 openssh-client rsync
    curl ca-certificates zstd"

is_here() { # is_here <name of NEEDED>
    case $1 in
        docker.io) has dockerd || docker_answers ;; # an engine that answers or can be started
        docker-cli) has docker ;;
        debian-archive-keyring) compgen -G "/usr/share/keyrings/debian-archive-keyring.*" >/dev/null ;;
        python3-venv) [ -x .venv/bin/python ] || usable_python >/dev/null ;;
        iproute2) has ip ;;
        openssh-client) has ssh ;;
        ca-certificates) [ -e /etc/ssl/certs/ca-certificates.crt ] || [ -d /etc/pki ] ;;
        zstd) has zstd || [ -z "$bundle" ] ;;
        *) has "$1" ;;
    esac
}

missing_programs() {
    local name
    for name in $NEEDED; do is_here "$name" || echo "$name"; done
}

# Every package that a host may lack, for a bundle; from the lists that apt has.
needed_packages() {
    local name
    for name in $NEEDED; do packages_of "$name"; done
}

install() { # install <name>...: those of NEEDED, chromium, or tmux
    [ $# != 0 ] || return 0
    [ -z "$bundle" ] || open_bundle
    has apt-get || stop 4 "This is not Debian or Ubuntu. Install what these Debian packages hold, then run it again:" \
        "  $*" \
        "  (docker.io: Docker Engine 20.10 or newer, with dockerd; vagrant: $VAGRANT_LEAST or newer; Python: 3.11 or newer)"
    if ! compgen -G "$lists/*_Packages*" >/dev/null; then update_lists "install $*"; fi
    local packages
    packages=$(for name in "$@"; do packages_of "$name" || exit; done | tr '\n' ' ') || exit
    packages=${packages% }
    [ -n "$packages" ] || return 0
    say "to install: $packages"
    update_lists "install $packages"
    # shellcheck disable=SC2086 # one word a package
    quietly "apt-get install $packages" as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get "${apt[@]}" install -y --no-install-recommends $packages
    say "installed: $packages"
}

updated=
update_lists() { # update_lists <what for>
    ask_for_root "$1"
    [ -z "$updated" ] || return 0
    quietly "apt-get update" as_root apt-get "${apt[@]}" update
    updated=1
}

# From now on apt sees the packages in <folder>/debs, whose checksums were compared, and no other source.
use_packages() { # use_packages <folder>
    lists=$1/lists
    mkdir -p "$lists/partial" "$1/cache/archives/partial"
    printf 'deb [trusted=yes] file:%s/debs ./\n' "$1" >"$1/sources.list"
    apt=(-o "Dir::Etc::SourceList=$1/sources.list" -o Dir::Etc::SourceParts=/dev/null -o "Dir::State::Lists=$lists"
        -o "Dir::Cache=$1/cache" -o APT::Sandbox::User=root)
}

# The version that apt would install; "" for none, and for one that is only a snap's stub.
candidate() {
    apt-cache "${apt[@]}" policy "$1" 2>/dev/null | sed -n 's/^  Candidate: //p' | grep -v -e '(none)' -e snap || true
}

packages_of() { # packages_of <name>: on this release
    case $1 in
        docker-cli | debian-archive-keyring) [ -z "$(candidate "$1")" ] || echo "$1" ;; # else a part of docker.io
        vagrant) vagrant_is_new_enough || stop 4 "$(vagrants_own)" && echo vagrant ;;
        python3-venv) python_packages ;;
        chromium) [ -n "$(candidate chromium)" ] || stop 4 "$(chromes_own)" && echo chromium fonts-liberation ;;
        *) echo "$1" ;;
    esac
}

vagrant_is_new_enough() {
    local version
    version=$(candidate vagrant)
    [ -n "$version" ] && dpkg --compare-versions "$version" ge "$VAGRANT_LEAST"
}

python_packages() {
    local python version
    version=$(candidate python3)
    if [ -n "$version" ] && dpkg --compare-versions "$version" ge 3.11; then echo python3-venv && return; fi
    for python in $PYTHONS; do
        if [ "$python" != python3 ] && [ -n "$(candidate "$python-venv")" ]; then echo "$python $python-venv" && return; fi
    done
    stop 4 "The lab needs Python 3.11 or newer with its venv; this host has $(python3 --version 2>&1 || echo none)," \
        "and apt has none (Ubuntu 22.04 has python3.11 and python3.11-venv in universe):" \
        "  sudo add-apt-repository universe"
}

vagrants_own() {
    local release architecture key=/usr/share/keyrings/hashicorp-archive-keyring.gpg
    release=$(. /etc/os-release && echo "${UBUNTU_CODENAME:-${VERSION_CODENAME:-RELEASE}}")
    architecture=$(dpkg --print-architecture)
    cat <<END
apt has no Vagrant of $VAGRANT_LEAST or newer here. HashiCorp's own packages have it; to use them, type:
  sudo apt-get install -y curl gpg
  curl -fsSL https://apt.releases.hashicorp.com/gpg | sudo gpg --dearmor -o $key
  echo "deb [arch=$architecture signed-by=$key] https://apt.releases.hashicorp.com $release main" |
    sudo tee /etc/apt/sources.list.d/hashicorp.list
  sudo apt-get update && sudo apt-get install -y vagrant
Then run this again.
END
}

chromes_own() {
    cat <<END
No browser that starts is here, and apt has only a snap's stub. Google's own package has one (amd64); to use it, type:
  curl -fsSLo /tmp/chrome.deb https://dl.google.com/linux/direct/google-chrome-stable_current_amd64.deb
  sudo apt-get install -y /tmp/chrome.deb
Then run this again. Another Chromium, Edge or Brave that starts will do as well.
END
}
