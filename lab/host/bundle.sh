# shellcheck shell=bash
# Packages and wheels from a bundle (docs/bundle.md) in place of the network: apt and pip see what is in it, and no
# other source. It is opened only when something lacks.

bundle=
opened=

open_bundle() {
    [ -z "$opened" ] || return 0
    opened=$(mktemp -d)
    trap 'rm -rf "$opened"' EXIT
    if ! has python3; then install_python; fi
    say "reading $bundle"
    "$(usable_python || echo python3)" -I provisioning/bundle/bootstrap.py "$bundle" "$opened" \
        "${LAB_CACHE:-$HOME/.cache/bluegreen-lab}/bundles" || exit
    use_packages "$opened"
}

# A host without Python, which reads the rest: its packages are held against the manifest by hand.
install_python() {
    local here
    case $bundle in *://*) stop 4 "To take a bundle from $bundle, this host needs python3." \
        "  try next:  copy the file here, then: make lab-up BUNDLE=FILE" ;; esac
    tar -xf "$bundle" -C "$opened" manifest.json debs || stop 1 "$bundle: this is no bundle, or it is cut"
    here=$(. /etc/os-release && echo "$ID ${VERSION_ID:-}")
    [ "$(json_text distribution "$opened/manifest.json")" = "${here% }" ] ||
        stop 1 "$bundle: debs/ is not for ${here% }, which is what is here"
    (cd "$opened" && sed -n 's|.*"name": "\(debs/[^"]*\)".*"sha256": "\([0-9a-f]*\)".*|\2  \1|p' manifest.json |
        sha256sum --check --strict --quiet >&2) || stop 1 "$bundle: the members above are damaged"
    use_packages "$opened"
    install python3
}

# What pip is told in place of the user's own sources.
wheels() {
    printf '%s\n' PIP_CONFIG_FILE=/dev/null PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INDEX=1 "PIP_FIND_LINKS=$opened/wheels"
}
