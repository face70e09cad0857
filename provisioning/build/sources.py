"""From where pip and Go fetch, as the user's own settings of them say; nothing else of those settings passes.

A company's index, mirror or proxy must be used, while a `target`, a `user = true` or another GOARCH must not
reach what is made here. lab/host.sh runs this file before anything is installed: the standard library only.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Mapping

PIP = (
    *("index-url", "extra-index-url", "trusted-host", "find-links", "no-index", "keyring-provider"),
    *("proxy", "cert", "client-cert", "timeout", "default-timeout", "retries", "cache-dir"),
)
PIP_SECTIONS = ("global", "install")  # the later wins
GO = (
    *("GOPROXY", "GOSUMDB", "GOPRIVATE", "GONOPROXY", "GONOSUMDB", "GOINSECURE", "GOVCS", "GOAUTH"),
    *("GOMODCACHE", "GOCACHE"),  # several GB: where the user wants them
)


def pip() -> dict[str, str]:
    """The environment in which pip meets the user's sources, and no other setting of the user's."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    return {**own, **pip_settings()}


def pip_settings() -> dict[str, str]:
    settings = pip_sources(_said([sys.executable, "-I", "-m", "pip", "config", "list"]))
    if os.environ.get("PIP_CERT"):  # the one that passes from the shell; it comes before a file, as ever
        settings["PIP_CERT"] = os.environ["PIP_CERT"]
    return {**settings, "PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def pip_sources(listed: str) -> dict[str, str]:
    """What `pip config list` says of sources, as variables: `global.index-url='...'` a line. Pure."""
    said: dict[str, str] = {}
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        said[name.strip()] = value.strip()
    return {
        "PIP_" + key.upper().replace("-", "_"): " ".join(ast.literal_eval(said[f"{section}.{key}"]).split())
        for section in PIP_SECTIONS
        for key in PIP
        if f"{section}.{key}" in said
    }


def go(command: str, settings: Mapping[str, str]) -> dict[str, str]:
    """The same for Go, with `settings` of ours."""
    own = {name: value for name, value in os.environ.items() if name in GO or not name.startswith("GO")}
    answer = _said([command, "env", "-json", *GO], {**own, "GOTOOLCHAIN": "local"})
    sources = {name: value for name, value in json.loads(answer or "{}").items() if value}
    return {**own, **sources, "GOENV": "off", **settings}


def _said(command: list[str], environment: Mapping[str, str] | None = None) -> str:
    """What the command prints; "" when it fails, and then what is fetched comes from where it always does."""
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False
    )
    return done.stdout if done.returncode == 0 else ""


if __name__ == "__main__":
    for name, value in pip_settings().items():
        print(f"{name}={value}")
