"""The README's commands on machines that are not this one. `tests/hosts/host --help` lists the steps."""
