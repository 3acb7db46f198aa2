"""The server of the tests fails as it is told, and is otherwise as strict as S3."""

import http.client
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.buckets.conftest import Server
from tests.conftest import wait_for

ONCE = {"If-None-Match": "*"}
SIGNED = {"Authorization": "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/s3/aws4_request"}  # nobody looks closer
COPY = {"x-amz-copy-source": "/data/from"}
BUSY = """
import s3fs
storage = s3fs.S3FileSystem(max_concurrency=1)  # which asks for nothing by HEAD
written = {f"data/busy/{number}": b"%d" % number for number in range(60)}
storage.pipe(written)
assert storage.cat(list(written)) == written
"""


def asked(server: Server, method: str, path: str, headers: Mapping[str, str] = {}) -> http.client.HTTPConnection:
    """Send a request and do not wait for its answer."""
    connection = http.client.HTTPConnection(server.endpoint.removeprefix("http://"), timeout=20)
    body = b"written" if method == "PUT" and "x-amz-copy-source" not in headers else b""
    connection.request(method, path, body, {**SIGNED, **headers})
    return connection


def answered(connection: http.client.HTTPConnection) -> int:
    """Return the status of the answer, 0 where the connection ends without one."""
    try:
        answer = connection.getresponse()
        answer.read()
    except (http.client.RemoteDisconnected, ConnectionResetError):
        return 0
    finally:
        connection.close()
    return answer.status


def statuses(server: Server, count: int, method: str = "GET", path: str = "/data/from") -> list[int]:
    return [answered(asked(server, method, path)) for _ in range(count)]


@pytest.mark.parametrize(
    ("kind", "status", "is_made"),
    [
        ("500", 500, False),
        ("503", 503, False),
        ("409", 409, False),
        ("412", 412, False),
        ("drop before", 0, False),
        ("drop after", 0, True),
    ],
)
def test_a_request_fails_before_or_after_it_is_done(server: Server, kind: str, status: int, *, is_made: bool) -> None:
    server.fail(rate=1, kinds=[kind], most=1)
    assert answered(asked(server, "PUT", "/made/out/x", ONCE)) == status
    assert server.keys("s3://made/out") == (["x"] if is_made else [])
    assert answered(asked(server, "PUT", "/made/out/x", ONCE)) == (412 if is_made else 200)
    assert server.counts() == {"requests": {"PUT": 2}, "failed": {kind: 1}}


@pytest.mark.parametrize(("kind", "is_made"), [("hang before", False), ("hang after", True)])
def test_an_answer_does_not_come_until_other_faults_are_named(server: Server, kind: str, *, is_made: bool) -> None:
    server.fail(rate=1, kinds=[kind])
    connection = asked(server, "PUT", "/made/out/x")
    wait_for(lambda: server.counts()["failed"] == {kind: 1} and bool(server.keys("s3://made/out")) == is_made)
    server.fail()
    assert answered(connection) == 0


def test_half_of_a_body_comes_under_its_whole_length(server: Server) -> None:
    server.put("s3://data/from", b"0123456789")
    server.fail(rate=1, kinds=["cut"])
    answer = asked(server, "GET", "/data/from").getresponse()
    with pytest.raises(http.client.IncompleteRead) as told:
        answer.read()
    assert (answer.status, answer.headers["Content-Length"], told.value.partial) == (200, "10", b"01234")


def test_a_seed_says_which_requests_fail(server: Server) -> None:
    server.put("s3://data/from", b"")
    drawn = []
    for seed in (1, 1, 2):
        server.fail(rate=0.3, kinds=["503"], seed=seed)
        drawn.append(statuses(server, 60))
    assert drawn[0] == drawn[1] != drawn[2]
    assert 8 < drawn[0].count(503) < 30


def test_faults_are_of_some_requests_only(server: Server) -> None:
    server.put("s3://data/from", b"")
    server.fail(rate=1, kinds=["503"], names=["GET"])
    assert (statuses(server, 1), statuses(server, 1, "HEAD")) == ([503], [200])
    server.fail(rate=1, kinds=["503"], match="/none")
    assert statuses(server, 1) == [200]
    server.fail(rate=1, kinds=["503"], at=2)
    assert statuses(server, 3) == [200, 503, 200]
    server.fail(rate=1, kinds=["503"], most=2)
    assert statuses(server, 3) == [503, 503, 200]


def test_requests_are_counted_by_name_and_the_own_ones_are_not(server: Server) -> None:
    server.fail()
    server.put("s3://data/from", b"1")
    assert server.counts() == {"requests": {}, "failed": {}}
    answered(asked(server, "PUT", "/made/out/x", COPY))
    for method, path in (
        ("GET", "/made?list-type=2"),
        ("GET", "/made/out/x"),
        ("HEAD", "/made/out/x"),
        ("DELETE", "/made/out/x"),
    ):
        answered(asked(server, method, path))
    assert server.counts()["requests"] == {"COPY": 1, "LIST": 1, "GET": 1, "HEAD": 1, "DELETE": 1}


@pytest.mark.parametrize("how", [{}, COPY], ids=["put", "copy"])
def test_of_eight_that_create_at_once_one_succeeds(server: Server, how: dict[str, str]) -> None:
    server.put("s3://data/from", b"copied")
    for number in range(20):
        connections = [asked(server, "PUT", f"/made/{number}", {**ONCE, **how}) for _ in range(8)]
        assert sorted(map(answered, connections)) == [200] + [412] * 7
    assert server.get("s3://made/0") == (b"copied" if how else b"written")


def test_a_list_comes_in_pages_and_by_folders(server: Server, tmp_path: Path) -> None:
    for name in ("a/1", "a/2", "b/1", "c"):
        (tmp_path / "up" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "up" / name).write_text(name)
    server.upload(tmp_path / "up", "s3://data/tree")
    pages = list(
        server.client.get_paginator("list_objects_v2").paginate(
            Bucket="data", Prefix="tree/", Delimiter="/", PaginationConfig={"PageSize": 2}
        )
    )
    assert [folder["Prefix"] for page in pages for folder in page.get("CommonPrefixes", [])] == ["tree/a/", "tree/b/"]
    listed = [item for page in pages for item in page.get("Contents", [])]
    assert [(item["Key"], item["Size"]) for item in listed] == [("tree/c", 1)]
    assert listed[0]["ETag"] == '"4a8a08f09d37b73795649038408b5f33"'  # md5 of c
    assert len(pages) == 2
    server.download("s3://data/tree", tmp_path / "down")
    assert (tmp_path / "down/a/2").read_text() == "a/2"


def test_a_client_that_asks_again_loses_nothing(server: Server) -> None:
    server.fail(rate=0.3, kinds=["503"], seed=1)
    command = [sys.executable, "-c", BUSY]  # the client has threads
    ended = subprocess.run(command, env=server.environment, capture_output=True, text=True, check=False, timeout=300)
    assert ended.returncode == 0, ended.stderr
    assert server.counts()["failed"]["503"] > 20
    assert sorted(server.keys("s3://data/busy"), key=int) == [str(number) for number in range(60)]


def test_it_ends_when_its_stdin_does() -> None:
    server = Server()
    server.close()
    assert server.process.returncode == 0
