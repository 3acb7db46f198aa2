"""A server of S3 in a process of its own, and what is in it."""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from tests.conftest import Ran

_KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}


class Server:
    """A server, and a client that meets none of its faults."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.buckets.server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout
        self.endpoint = f"http://127.0.0.1:{int(self.process.stdout.readline())}"
        self.folder = tempfile.TemporaryDirectory()
        own = {"AWS_ENDPOINT_URL": self.endpoint, "AWS_EC2_METADATA_DISABLED": "true", "NO_PROXY": "127.0.0.1"}
        own["TMPDIR"] = self.folder.name  # where no other run locks what has the same address on another server
        self.environment = {**os.environ, **_KEYS, **own}
        self.client = boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id="key",
            aws_secret_access_key="secret",
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}),
        )
        self.client.meta.events.register("before-send.s3", _spare)
        for bucket in ("data", "made"):
            self.client.create_bucket(Bucket=bucket)

    def fail(self, **faults: Any) -> None:
        """Let requests fail from now on: `rate` of them by `kinds`; count anew."""
        body = json.dumps(faults).encode()
        with urllib.request.urlopen(urllib.request.Request(f"{self.endpoint}/_control", body, method="POST")):
            pass

    def counts(self) -> Any:
        """Return `requests` and `failed` since the last time that faults were named."""
        with urllib.request.urlopen(f"{self.endpoint}/_control") as answer:
            return json.load(answer)

    def keys(self, address: str) -> list[str]:
        """Return what lies below an address."""
        bucket, _, prefix = address.removeprefix("s3://").partition("/")
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/")
        return [item["Key"].removeprefix(f"{prefix}/") for page in pages for item in page.get("Contents", [])]

    def get(self, address: str) -> bytes:
        """Return an object."""
        bucket, _, key = address.removeprefix("s3://").partition("/")
        data: bytes = self.client.get_object(Bucket=bucket, Key=key)["Body"].read()
        return data

    def put(self, address: str, data: bytes) -> None:
        """Make or replace an object."""
        bucket, _, key = address.removeprefix("s3://").partition("/")
        self.client.put_object(Bucket=bucket, Key=key, Body=data)

    def upload(self, folder: Path, address: str) -> None:
        """Make objects of the files of a folder."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.put(f"{address}/{path.relative_to(folder)}", path.read_bytes())

    def download(self, address: str, folder: Path) -> None:
        """Write what lies below an address to a folder."""
        for key in self.keys(address):
            (folder / key).parent.mkdir(parents=True, exist_ok=True)
            (folder / key).write_bytes(self.get(f"{address}/{key}"))

    def contents(self, address: str) -> dict[str, str]:
        """Return the sha256 of what lies below an address, as `contents` does of a folder."""
        return {key: hashlib.sha256(self.get(f"{address}/{key}")).hexdigest() for key in self.keys(address)}

    def start(self, *arguments: object) -> "subprocess.Popen[str]":
        """Start the program, which finds this server."""
        command = [sys.executable, "-m", "rebalance", *(str(argument) for argument in arguments)]
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.environment
        )

    def run(self, *arguments: object) -> Ran:
        """Run the program to its end."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=300)
        return Ran(process.returncode, out, err)

    def empty(self) -> None:
        """Delete everything; let nothing fail."""
        self.fail()
        for bucket in ("data", "made"):
            pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
            for key in [item["Key"] for page in pages for item in page.get("Contents", [])]:
                self.client.delete_object(Bucket=bucket, Key=key)

    def close(self) -> None:
        """End it."""
        assert self.process.stdin
        assert self.process.stdout
        self.client.close()
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self.folder.cleanup()


def _spare(request: Any, **_others: object) -> None:
    request.headers["x-spared"] = "yes"


@pytest.fixture(scope="session")
def started_server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def server(started_server: Server) -> Server:
    """The server, empty."""
    started_server.empty()
    return started_server
