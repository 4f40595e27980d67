"""Fixtures that every test may use."""

pytest_plugins = [
    "tests.support.no_skips",
    "tests.support.postgres",
    "tests.support.s3",
    "tests.support.database",
    "tests.support.service",
    "tests.support.image",
    "tests.support.bytes",
    "tests.support.job",
    "tests.support.race",
]
