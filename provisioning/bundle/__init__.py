"""All that a bring-up takes from outside, as one file: docs/bundle.md.

    manifest    what a bundle says of itself, and whether it is for this machine and this checkout
    archive     reads the file, and holds every member against the manifest
    fetch       takes a bundle from a room's server; serve is that server
    host        what of a bundle this host can install
    bootstrap   what lab/host.sh runs on a host that has no .venv yet
    making      a bundle of what is on this machine; debs are its packages for hosts
    taking      what a bring-up needs goes from the bundle to the cache and the engine

All but the last two need the standard library alone.
"""
