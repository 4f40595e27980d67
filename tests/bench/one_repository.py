"""Pushes into one repository beside pushes into many, on PostgreSQL: `python -m tests.bench.one_repository`.

If all pushes of a repository waited for one row, many clients in one repository would be slower than in one each. The
rounds take turns on one server with two workers, so that both see the same machine. PostgreSQL syncs its disk.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import psycopg
from sqlalchemy import make_url

from entrepot.store.metadata.migrate import migrate_postgres
from tests.bench.connection import RawConnection
from tests.bench.contender import REPOSITORY
from tests.bench.measure import push_image
from tests.support.postgres import server_of_a_program
from tests.support.registry_client import ecr_client
from tests.support.server import Server


def main() -> None:
    """Measure and print."""
    options = _options()
    with server_of_a_program(migrate_postgres) as postgres, postgres.fresh_database() as url:
        _sync_the_disk(url)
        with tempfile.TemporaryDirectory(prefix="entrepot-bench-") as work:
            server = Server(Path(work) / "data", Path(work) / "home", environment={"ENTREPOT_DATABASE_URL": url})
            server.start()
            try:
                _measure(server, options.clients, options.images, options.rounds)
            finally:
                server.close()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--images", type=int, default=10, help="that each client pushes in a round")
    parser.add_argument("--rounds", type=int, default=9)
    return parser.parse_args()


def _sync_the_disk(url: str) -> None:
    """The server of the tests keeps nothing; this one does, since locks are held until the disk has a commit."""
    parts = make_url(url)
    host = str(parts.query["host"])
    with psycopg.connect(host=host, user="postgres", dbname="postgres", autocommit=True) as server:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            server.execute(f"ALTER SYSTEM SET {setting} = on".encode())
        server.execute("SELECT pg_reload_conf()")


def _measure(server: Server, clients: int, images: int, rounds: int) -> None:
    ecr = ecr_client(server)
    many = [f"{REPOSITORY}-{number}" for number in range(clients)]
    for name in (REPOSITORY, *many):
        ecr.create_repository(repositoryName=name)
    token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    headers = {"Authorization": f"Basic {token}"}
    ratios = []
    for number in range(rounds):
        turns = [[REPOSITORY] * clients, many][:: -1 if number % 2 else 1]
        rates = {len({*names}): _rate(server.port, headers, names, images) for names in turns}
        ratios.append(rates[1] / rates[clients])
        print(f"round {number + 1}: one {rates[1]:.0f} images/s, {clients} {rates[clients]:.0f}", flush=True)
    print(f"one repository beside {clients}: median {median(ratios):.2f} of the rate, {clients} clients")


def _rate(port: int, headers: dict[str, str], names: Sequence[str], images: int) -> float:
    """Images a second, one client for each of `names`."""
    begin = time.perf_counter()
    with ProcessPoolExecutor(len(names), mp_context=get_context("fork")) as clients:
        list(clients.map(_push, repeat(port), repeat(headers), names, repeat(images)))
    return len(names) * images / (time.perf_counter() - begin)


def _push(port: int, headers: dict[str, str], name: str, images: int) -> None:
    connection = RawConnection(port, headers)
    for _ in range(images):
        layer = os.urandom(1024)
        push_image(connection, layer[:8].hex(), layer, name)
    connection.close()


if __name__ == "__main__":
    main()
