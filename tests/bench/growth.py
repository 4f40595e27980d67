"""What requests cost in a repository of many images, beside one of few: `python -m tests.bench.growth`.

Two repositories on one server; their requests take turns, so that both see the same machine. Each request is signed and
written down before the clock starts, on one kept-alive connection, and no two ask for the same image.
"""

from __future__ import annotations

import argparse
import http.client
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from sqlalchemy import create_engine, text

from entrepot.store.metadata.migrate import migrate_postgres
from tests.bench.many_rows import TAGS_PER_IMAGE, fill, manifest_bytes, tag_name
from tests.bench.report import machine, write_page
from tests.bench.start import seconds_to_start
from tests.support.postgres import server_of_a_program
from tests.support.registry_client import OCI_MANIFEST, RegistryClient
from tests.support.server import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY, Server

PAGE = 100
TARGET = "AmazonEC2ContainerRegistry_V20150921."
LIMIT_MS, FACTOR, MORE_MS = 50.0, 1.5, 5.0
"""p95 must stay below the first, and within the larger of factor and addition of the small repository's."""


@dataclass(frozen=True, slots=True)
class Request:
    """All of it, signed."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass
class Repository:
    """One of the two."""

    name: str
    images: int
    client: RegistryClient
    connection: http.client.HTTPConnection
    last_tokens: dict[str, str] = field(default_factory=dict)
    """Operation → the token that leads to its last page."""

    def send(self, request: Request) -> tuple[float, bytes]:
        """Milliseconds until the whole answer was there, and its body."""
        began = time.perf_counter()
        self.connection.request(request.method, request.path, request.body, dict(request.headers))
        answer = self.connection.getresponse()
        body = answer.read()
        took = (time.perf_counter() - began) * 1000
        if answer.status >= http.client.BAD_REQUEST:
            raise RuntimeError(f"{request.method} {request.path}: {answer.status} {body[:300]!r}")
        return took, body

    def api(self, operation: str, **parameters: object) -> Request:
        """A signed request of the ECR API."""
        body = json.dumps({"repositoryName": self.name, **parameters}).encode()
        headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": TARGET + operation}
        request = AWSRequest("POST", f"{self.client.server.url}/", headers, body)
        SigV4Auth(Credentials(ACCESS_KEY_ID, SECRET_ACCESS_KEY), "ecr", REGION).add_auth(request)
        return Request("POST", "/", dict(request.headers.items()), body)

    def oci(self, method: str, path: str, body: bytes = b"") -> Request:
        """A request on `/v2/`."""
        headers = {"Content-Type": OCI_MANIFEST} if body else {"Accept": OCI_MANIFEST}
        return Request(method, f"/v2/{self.name}/{path}", {**self.client.headers, **headers}, body)

    def last_page(self, operation: str) -> Request:
        """The request for the last page of a list, found by walking there once."""
        if operation not in self.last_tokens:
            token = ""
            while following := json.loads(self.send(self._page(operation, token))[1]).get("nextToken"):
                token = following
            self.last_tokens[operation] = token
        return self._page(operation, self.last_tokens[operation])

    def _page(self, operation: str, token: str) -> Request:
        return self.api(operation, maxResults=PAGE, **({"nextToken": token} if token else {}))

    def tag(self, sample: int, place: int) -> str:
        """A tag somewhere in the list, another one for each sample; `place` is which of its image's tags."""
        image = (sample * 7919 + 13) % self.images
        return tag_name(image * TAGS_PER_IMAGE + place)


def _beyond(repository: Repository) -> str:
    """The tag before the last page of tags."""
    return tag_name(repository.images * TAGS_PER_IMAGE - PAGE - 1)


def _untagged(repository: Repository) -> Request:
    return repository.api("ListImages", maxResults=PAGE, filter={"tagStatus": "UNTAGGED"})


def _tag_again(repository: Repository, sample: int) -> Request:
    """A new tag for an image that is there: the repository may be as full as ECR's quota lets it."""
    return repository.oci("PUT", f"manifests/new-{sample}", manifest_bytes(repository.name, sample % repository.images))


OPERATIONS: dict[str, Callable[[Repository, int], Request]] = {
    "tags/list, first page": lambda r, _: r.oci("GET", f"tags/list?n={PAGE}"),
    "tags/list, last page": lambda r, _: r.oci("GET", f"tags/list?n={PAGE}&last={_beyond(r)}"),
    "ListImages, first page": lambda r, _: r.api("ListImages", maxResults=PAGE),
    "ListImages, last page": lambda r, _: r.last_page("ListImages"),
    "ListImages, none is untagged": lambda r, _: _untagged(r),
    "DescribeImages, first page": lambda r, _: r.api("DescribeImages", maxResults=PAGE),
    "DescribeImages, last page": lambda r, _: r.last_page("DescribeImages"),
    "manifest GET by tag": lambda r, sample: r.oci("GET", f"manifests/{r.tag(sample, 0)}"),
    "manifest PUT with a new tag": _tag_again,
    "DELETE of a tag": lambda r, sample: r.oci("DELETE", f"manifests/{r.tag(sample, 1)}"),
}

Figures = dict[str, tuple[list[float], list[float]]]
"""Operation → milliseconds in the small repository, and in the large one."""


def measure(small: Repository, large: Repository, samples: int) -> Figures:
    """All operations, request by request in turns."""
    figures: Figures = {}
    for name, request in OPERATIONS.items():
        figures[name] = ([], [])
        for sample in range(samples):
            for repository, taken in zip((small, large), figures[name], strict=True):
                prepared = request(repository, sample)
                taken.append(repository.send(prepared)[0])
    return figures


def p95(figures: list[float]) -> float:
    """The 95th percentile."""
    return quantiles(figures, n=20, method="inclusive")[-1]


def is_within(small: list[float], large: list[float]) -> bool:
    """Whether the large repository is as fast as it must be."""
    return p95(large) < min(LIMIT_MS, max(FACTOR * p95(small), p95(small) + MORE_MS))


def table(figures: Figures, small: int, large: int) -> str:
    """A Markdown table: median and 95th percentile."""
    lines = [f"| ms, p50 / p95 | {small:,} images | {large:,} images | within |", "|---|---:|---:|---|"]
    for name, taken in figures.items():
        cells = " | ".join(f"{median(each):.2f} / {p95(each):.2f}" for each in taken)
        lines.append(f"| {name} | {cells} | {'yes' if is_within(*taken) else 'no'} |")
    return "\n".join(lines)


def grown(server: Server, database_url: str, sizes: tuple[int, ...]) -> list[Repository]:
    """Start a server whose repositories have so many images each."""
    server.start()
    client = RegistryClient(server)
    names = [f"growth/{size}" for size in sizes]
    for name in names:
        client.create(name)
    server.stop()
    engine = create_engine(database_url)
    for name, size in zip(names, sizes, strict=True):
        with engine.connect() as connection:
            if connection.dialect.name == "sqlite":  # nobody minds if this file does not survive
                for setting in ("synchronous = OFF", "cache_size = -1000000"):
                    connection.execute(text(f"PRAGMA {setting}"))
            fill(connection, name, size)
    engine.dispose()
    server.start()
    kept = client.connect()
    return [Repository(name, size, client, kept) for name, size in zip(names, sizes, strict=True)]


@contextmanager
def _server(engine: str, work: Path) -> Iterator[tuple[Server, str]]:
    """A server that has not been started, and where its database is."""
    environment = {"ENTREPOT_LOG_LEVEL": "error"}
    if engine == "sqlite":
        server = Server(work / "data", work / "home", workers=1, environment=environment)
        try:
            yield server, f"sqlite:///{work / 'data' / 'metadata.sqlite'}"
        finally:
            server.close()
        return
    with server_of_a_program(migrate_postgres) as postgres, postgres.fresh_database() as url:
        environment["ENTREPOT_DATABASE_URL"] = url
        server = Server(work / "data", work / "home", workers=1, environment=environment)
        try:
            yield server, url
        finally:
            server.close()


def _report_lists(engine: str, sizes: tuple[int, int], samples: int) -> str:
    with tempfile.TemporaryDirectory(prefix="entrepot-bench-") as work, _server(engine, Path(work)) as (server, url):
        small, large = grown(server, url, sizes)
        return f"{engine}, {samples} requests each:\n\n{table(measure(small, large, samples), *sizes)}\n"


def _report_start(images: int, starts: int) -> str:
    with (
        tempfile.TemporaryDirectory(prefix="entrepot-bench-") as text_,
        _server("sqlite", Path(text_)) as (server, url),
    ):
        grown(server, url, (images,))
        server.stop()
        seconds = median(seconds_to_start(server) for _ in range(starts))
        return f"Start with {images:,} images on sqlite: median of {starts} starts {seconds:.2f} s.\n"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engines", default="sqlite,postgresql", help="comma-separated")
    parser.add_argument("--small", type=int, default=1_000, help="images of the small repository")
    parser.add_argument("--large", type=int, default=100_000, help="images of the large one")
    parser.add_argument("--samples", type=int, default=200, help="requests of each kind to each repository")
    parser.add_argument("--start-images", type=int, default=1_000_000, help="0 leaves the starts out")
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="put the tables into docs/benchmarks.md")
    options = parser.parse_args()
    sizes = (options.small, options.large)
    parts = [_report_lists(engine, sizes, options.samples) for engine in options.engines.split(",") if engine]
    if options.start_images:
        parts.append(_report_start(options.start_images, options.starts))
    shown = "\n".join([f"On {machine()}; three tags an image, pages of {PAGE}, one worker.\n", *parts])
    print(shown)
    if options.write:
        write_page(shown, "growth")


if __name__ == "__main__":
    main()
