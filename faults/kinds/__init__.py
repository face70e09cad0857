"""The kinds of faults, a family a module."""
