"""A server that speaks the protocol of S3, and fails as it is told: `python -m tests.buckets.server`.

It prints its port, and ends when its stdin does. Requests with the header `x-spared: yes` meet no fault and are not
counted.
"""

import json
import os
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.test import run_wsgi_app

Start = Callable[..., Any]
Environment = dict[str, Any]

_ERRORS = {
    "500": ("500 Internal Server Error", "InternalError"),
    "503": ("503 Slow Down", "SlowDown"),
    "409": ("409 Conflict", "ConditionalRequestConflict"),
    "412": ("412 Precondition Failed", "PreconditionFailed"),
}


class Failing:
    """An application that fails some requests, by a number and a seed, and counts all."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self.application = application
        self.lock, self.creating = threading.Lock(), threading.Lock()
        self.counts: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.faults: dict[str, Any] = {}

    def __call__(self, environment: Environment, start: Start) -> Iterable[bytes]:
        if environment["PATH_INFO"] == "/_control":
            return self._control(environment, start)
        if environment.get("HTTP_X_SPARED"):
            return self._passed_on(environment, start)
        time.sleep(self.faults.get("delay", 0))
        return self._failing(self._fault(environment), environment, start)

    def _failing(self, kind: str | None, environment: Environment, start: Start) -> Iterable[bytes]:
        """Answer, or fail to: before or after what was asked for is done."""
        if kind in _ERRORS:
            return _refused(kind, environment, start)
        if kind in ("drop before", "hang before"):
            return self._silent(kind, environment)
        answer, status, headers = run_wsgi_app(self._passed_on, environment, buffered=True)
        body = b"".join(answer)
        if kind in ("drop after", "hang after"):
            return self._silent(kind, environment)
        start(status, list(headers))
        return _cut(body, environment) if kind == "cut" and body else [body]

    def _control(self, environment: Environment, start: Start) -> Iterable[bytes]:
        """Take faults, or say what has been asked for since that."""
        if environment["REQUEST_METHOD"] == "POST":
            self.faults = json.loads(environment["wsgi.input"].read(int(environment["CONTENT_LENGTH"])))
            self.counts.clear()
            self.failed.clear()
        start("200 OK", [("Content-Type", "application/json")])
        return [json.dumps({"requests": self.counts, "failed": self.failed}).encode()]

    def _fault(self, environment: Environment) -> str | None:
        """Count a request, and return how it fails."""
        with self.lock:
            name = _name_of(environment)
            self.counts[name] += 1
            faults, number = self.faults, self.counts.total()
            is_meant = faults and name in faults.get("names", [name])
            if not is_meant or not re.search(faults.get("match", ""), environment["PATH_INFO"]):
                return None
            if faults.get("at", number) != number or self.failed.total() >= faults.get("most", number):
                return None
            drawn = blake2b(b"%d %d" % (faults.get("seed", 0), number), digest_size=4).digest()
            if int.from_bytes(drawn) >= faults.get("rate", 0) * 2**32:
                return None
            kind: str = faults["kinds"][drawn[0] % len(faults["kinds"])]
            self.failed[kind] += 1
            return kind

    def _passed_on(self, environment: Environment, start: Start) -> Iterable[bytes]:
        """Let the server answer; what is to be made only where nothing is, one after the other, as S3 does it.

        Of copies moto does not mind that, and nor does this where it is to be `plain`.
        """
        if environment.get("HTTP_IF_NONE_MATCH") != "*":
            return self.application(environment, start)
        with self.creating:
            is_copy = "HTTP_X_AMZ_COPY_SOURCE" in environment and not self.faults.get("plain")
            if is_copy and self._is_taken(environment):
                return _refused("412", environment, start)
            return self.application(environment, start)

    def _is_taken(self, environment: Environment) -> bool:
        looking = {**environment, "REQUEST_METHOD": "HEAD"}
        del looking["HTTP_X_AMZ_COPY_SOURCE"], looking["HTTP_IF_NONE_MATCH"]
        _, status, _ = run_wsgi_app(self.application, looking, buffered=True)
        return status.startswith("200")

    def _silent(self, kind: str, environment: Environment) -> Iterable[bytes]:
        """Drop a connection, or say nothing until other faults are named."""
        faults = self.faults
        while kind.startswith("hang") and self.faults is faults:
            time.sleep(0.01)
        environment["werkzeug.socket"].shutdown(2)
        return []


def _refused(kind: str, environment: Environment, start: Start) -> Iterable[bytes]:
    """Refuse a request; what is asked for by HEAD has no body, by which a client would be confused."""
    status, code = _ERRORS[kind]
    body = f"<Error><Code>{code}</Code><Message>as it was told</Message></Error>".encode()
    start(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
    return [] if environment["REQUEST_METHOD"] == "HEAD" else [body]


def _cut(body: bytes, environment: Environment) -> Iterable[bytes]:
    yield body[: len(body) // 2]
    environment["werkzeug.socket"].shutdown(2)


def _name_of(environment: Environment) -> str:
    method: str = environment["REQUEST_METHOD"]
    if "HTTP_X_AMZ_COPY_SOURCE" in environment:
        return "COPY"
    return "LIST" if method == "GET" and "list-type" in environment["QUERY_STRING"] else method


class _Silent(WSGIRequestHandler):
    def log(self, *_arguments: object) -> None:
        """Say nothing."""

    def handle(self) -> None:
        """Do not mind that a connection ends in the middle."""
        try:
            super().handle()
        except (OSError, AssertionError):
            self.close_connection = True


def main() -> None:
    """Serve until stdin ends."""
    application = Failing(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=_Silent)
    print(server.port, flush=True)  # noqa: T201
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
