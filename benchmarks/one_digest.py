"""One tree, whoever makes it: every way of running a command, and the digest of what came out.

python -m benchmarks.one_digest [IMAGES-A-CLASS], with REBALANCE_DATA leading to the photographs.
"""

import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.buckets.conftest import Server
from tests.conftest import contents
from tests.test_cluster import Machines

if TYPE_CHECKING:
    import subprocess

COMMAND = ("augment", "--seed", "5", "-s", "120", "-q")
N_SHARDS = 4


class Ways:
    """The ways of running one command, each into an OUTPUT of its own."""

    def __init__(self, place: Path, server: Server) -> None:
        """Take a folder that holds `source`, and a server."""
        self.place, self.server = place, server
        self.source = place / "source"
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
            return self._ended("out", [started])

    def bucket(self, source: str, output: str, **faults: object) -> dict[str, str]:
        """Run from or to the server, which may fail."""
        self.server.fail(**faults)
        where = output if output.startswith("s3://") else str(self.place / output)
        started = self._start(source, where, "-j", "8")
        made = self._ended(output, [started])
        told = self.server.counts()
        if faults:
            print(f"    {sum(told['requests'].values())} requests, failed: {told['failed']}")
        return made

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
        """Return what is in OUTPUT, and take it away; nothing else may be there."""
        _wait(processes)
        if output.startswith("s3://"):
            return self.server.contents(output)
        made = contents(self.place / output)
        shutil.rmtree(self.place / output)
        left = [path.name for path in self.place.iterdir() if path != self.source]
        assert not left, left
        return made


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


def main() -> None:
    """Print the digest of each way; end with 1 where two differ."""
    n_each = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    server = Server()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for class_folder in sorted((Path(os.environ["REBALANCE_DATA"]) / "clothing").iterdir()):
            for path in sorted(class_folder.iterdir())[:n_each] if class_folder.is_dir() else ():
                target = place / "source" / class_folder.name / path.name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
        ways = Ways(place, server)
        bucket = "s3://data/source"
        failing = {"rate": 0.3, "kinds": ["503"], "seed": 1}
        digests = set()
        for name, way in {
            "serial": lambda: ways.locally("-j", "1"),
            "local workers": ways.locally,
            "four shards at once, one killed and run again": ways.shards,
            "Dask, two processes, one killed": ways.dask,
            "disk to bucket": lambda: ways.bucket(str(ways.source), "s3://made/from-disk"),
            "bucket to disk": lambda: ways.bucket(bucket, "out"),
            "bucket to bucket": lambda: ways.bucket(bucket, "s3://made/from-bucket"),
            "bucket to bucket, 30 % of requests 503": lambda: ways.bucket(bucket, "s3://made/failing", **failing),
            "bucket to bucket, Dask": ways.bucket_of_dask,
            "bucket to bucket, four shards at once": ways.bucket_of_shards,
        }.items():
            made = way()
            digest = hashlib.sha256(repr(sorted(made.items())).encode()).hexdigest()
            digests.add(digest)
            print(f"{digest[:16]}  {len(made):5} files  {name}", flush=True)
    server.close()
    sys.exit(len(digests) != 1)


if __name__ == "__main__":
    main()
