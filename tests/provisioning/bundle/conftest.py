from tests.provisioning.bundle.bundles import bundle, machine  # noqa: F401  fixtures
