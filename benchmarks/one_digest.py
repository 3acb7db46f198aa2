"""One tree, whoever makes it: every way of running a command, and the digest of what came out.

python -m benchmarks.one_digest [--images-per-class N] [--no-buckets], with REBALANCE_DATA leading to the photographs.
Seconds are multiples of those of the first way, the start of a scheduler and its workers included. What a way leaves
behind, beside OUTPUT or in the buckets, is told too. Ends with 1 where digests differ or something is left.
"""

import argparse
import hashlib
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.buckets.conftest import Server
from tests.conftest import contents
from tests.test_cluster import Machines

if TYPE_CHECKING:
    import subprocess

COMMAND = ("augment", "--seed", "5", "-s", "120", "-q")
N_SHARDS = 4
FAILING = {"rate": 0.3, "kinds": ["503"], "seed": 1}


class Made(NamedTuple):
    """What came out of one way."""

    digest: str
    n_files: int
    seconds: float
    left: list[str]
    """What lies beside SOURCE once OUTPUT is taken away."""


class Ways:
    """The ways of running one command, each into an OUTPUT of its own."""

    def __init__(self, place: Path, server: Server) -> None:
        """Take a folder that holds `source`, and a server."""
        self.place, self.server = place, server
        self.source = place / "source"
        self.ended = 0.0
        self.told: dict[str, dict[str, int]] = {}
        server.upload(self.source, "s3://data/source")

    def locally(self, *more: str) -> dict[str, str]:
        """Run in this machine's processes."""
        return self._ended("out", [self._start(self.source, self.place / "out", *more)])

    def shards(self) -> dict[str, str]:
        """Run all shares at the same moment, kill one and run it again, and then the whole."""
        output = self.place / "out"
        shares = [self._start(self.source, output, "--shard", f"{i + 1}/{N_SHARDS}") for i in range(N_SHARDS)]
        journal = self.place / f".out.rebalance/journal-3-of-{N_SHARDS}.jsonl"
        while not (journal.exists() and journal.read_bytes().count(b"\n") > 10):
            time.sleep(0.02)
        shares[2].kill()
        _wait(share for share in shares if share is not shares[2])
        shares[2].communicate()
        assert shares[2].returncode == -signal.SIGKILL  # it was in the midst of it
        _wait([self._start(self.source, output, "--shard", f"3/{N_SHARDS}")])
        return self._ended("out", [self._start(self.source, output)])

    def dask(self) -> dict[str, str]:
        """Run on two workers of a scheduler, each a process of its own, and kill one."""
        with _machines() as machines:
            for _ in range(2):
                machines.add_worker()
            machines.wait(2)
            output = self.place / "out"
            started = self._start(self.source, output, "--backend", "dask", "--scheduler", str(machines.file))
            journal = self.place / ".out.rebalance/journal.jsonl"
            while not (journal.exists() and journal.read_bytes().count(b"\n") > 10):
                time.sleep(0.02)
            machines.workers[0].kill()
            assert started.poll() is None
            return self._ended("out", [started])

    def bucket(self, source: str, output: str, **faults: object) -> dict[str, str]:
        """Run from or to the server, which may fail."""
        self.server.fail(**faults)
        where = output if output.startswith("s3://") else str(self.place / output)
        started = self._start(source, where, "-j", "8")
        return self._ended(output, [started])

    def bucket_of_dask(self) -> dict[str, str]:
        """Run on workers that share nothing with this process but the address."""
        os.environ |= self.server.environment
        with _machines() as machines:
            for _ in range(2):
                machines.add_worker()
            machines.wait(2)
            output = "s3://made/by-dask"
            more = ("--backend", "dask", "--scheduler", str(machines.file))
            return self._ended(output, [self._start("s3://data/source", output, *more)])

    def bucket_of_shards(self) -> dict[str, str]:
        """Run all shares from a bucket and to it at the same moment, and then the whole."""
        source, output = "s3://data/source", "s3://made/by-shards"
        _wait([self._start(source, output, "--shard", f"{i + 1}/{N_SHARDS}") for i in range(N_SHARDS)])
        return self._ended(output, [self._start(source, output)])

    def _start(self, source: object, output: object, *more: str) -> "subprocess.Popen[str]":
        return self.server.start(*COMMAND, source, "-o", output, *more)

    def _ended(self, output: str, processes: "list[subprocess.Popen[str]]") -> dict[str, str]:
        """Return what is in OUTPUT, and take it away."""
        _wait(processes)
        self.ended, self.told = time.perf_counter(), self.server.counts()
        if output.startswith("s3://"):
            self.server.fail()
            made = self.server.contents(output)
            for key in self.server.keys(output):
                self.server.client.delete_object(Bucket="made", Key=f"{output.removeprefix('s3://made/')}/{key}")
            return made
        made = contents(self.place / output)
        shutil.rmtree(self.place / output)
        return made

    def _left(self) -> list[str]:
        """Return what lies beside the source, in the bucket, and of the source what is another than before."""
        beside = [path.name for path in self.place.iterdir() if path != self.source]
        objects = self.server.client.list_objects_v2(Bucket="made").get("Contents", [])
        was, now = contents(self.source), self.server.contents("s3://data/source")
        changed = [name for name in was.keys() | now.keys() if was.get(name) != now.get(name)]
        return sorted([*beside, *(item["Key"] for item in objects), *changed])

    def made(self, way: "Callable[[], dict[str, str]]") -> Made:
        """Go one way."""
        self.server.fail()
        started = time.perf_counter()
        made = way()
        digest = hashlib.sha256(repr(sorted(made.items())).encode()).hexdigest()
        return Made(digest, len(made), self.ended - started, self._left())


def _wait(processes: "Iterable[subprocess.Popen[str]]") -> None:
    for process in processes:
        _, err = process.communicate()
        assert process.returncode == 0, err


@contextmanager
def _machines() -> Iterator[Machines]:
    with tempfile.TemporaryDirectory() as folder:
        machines = Machines(Path(folder))
        try:
            yield machines
        finally:
            machines.stop()


def _photographs(folder: Path, n_each: int) -> None:
    """Copy so many of each class."""
    for class_folder in sorted((Path(os.environ["REBALANCE_DATA"]) / "clothing").iterdir()):
        for path in sorted(class_folder.iterdir())[:n_each] if class_folder.is_dir() else ():
            target = folder / class_folder.name / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)


def _ways(ways: Ways, *, with_buckets: bool) -> "dict[str, Callable[[], dict[str, str]]]":
    bucket = "s3://data/source"
    here: dict[str, Callable[[], dict[str, str]]] = {
        "serial": lambda: ways.locally("-j", "1"),
        "local workers": ways.locally,
        "four shards at once, one killed and run again": ways.shards,
        "Dask, two processes, one killed": ways.dask,
    }
    there: dict[str, Callable[[], dict[str, str]]] = {
        "disk to bucket": lambda: ways.bucket(str(ways.source), "s3://made/from-disk"),
        "bucket to disk": lambda: ways.bucket(bucket, "out"),
        "bucket to bucket": lambda: ways.bucket(bucket, "s3://made/from-bucket"),
        "bucket to bucket, 30 % of requests 503": lambda: ways.bucket(bucket, "s3://made/failing", **FAILING),
        "bucket to bucket, Dask": ways.bucket_of_dask,
        "bucket to bucket, four shards at once": ways.bucket_of_shards,
    }
    return {**here, **there} if with_buckets else here


def main() -> None:
    """Print the table, and then what was left."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--images-per-class", type=int, default=40)
    parser.add_argument("--no-buckets", action="store_true")
    asked = parser.parse_args()
    server = Server()
    made: dict[str, Made] = {}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        _photographs(place / "source", asked.images_per_class)
        ways = Ways(place, server)
        print("| way | files | digest | seconds, to serial | requests | failed |\n|---|---|---|---|---|---|")
        for name, way in _ways(ways, with_buckets=not asked.no_buckets).items():
            made[name] = one = ways.made(way)
            ratio = one.seconds / made["serial"].seconds
            n_requests, n_failed = (sum(ways.told[what].values()) for what in ("requests", "failed"))
            print(
                f"| {name} | {one.n_files} | {one.digest[:12]} | {ratio:.2f} | {n_requests} | {n_failed} |", flush=True
            )
    server.close()
    left = {name: one.left for name, one in made.items() if one.left}
    is_one = len({one.digest for one in made.values()}) == 1
    print(f"\n{'one digest' if is_one else 'digests differ'}; left over: {left or 'nothing'}")
    sys.exit(not is_one or bool(left))


if __name__ == "__main__":
    main()
