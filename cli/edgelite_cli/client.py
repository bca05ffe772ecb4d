"""A small client of the hub's API: JSON over TLS with keep-alive, errors as the server's own Status."""

from __future__ import annotations

import http.client
import json
import re
import ssl
import sys
import time
from collections.abc import Iterator
from typing import IO, Any
from urllib.parse import quote, urlencode, urlsplit

from edgelite_cli.failure import Failure
from edgelite_cli.kubeconfig import Access
from edgelite_cli.main import EXIT_UNREACHABLE

TIMEOUT_S = 30
KEEP_ALIVE_S = 3  # servers drop idle connections after five; one that may be dropped carries no request
TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1,application/json"

_WARNING = re.compile(r'\d{3} \S+ "((?:[^"\\]|\\.)*)"')

Query = dict[str, str | int | bool | None]


class ApiError(Failure):
    """What the server answered in place of what was asked. `reason` and `causes` as in Kubernetes' Status."""

    def __init__(self, code: int, status: dict[str, Any]) -> None:
        self.code = code
        self.reason = str(status.get("reason") or "")
        self.causes = list((status.get("details") or {}).get("causes") or [])
        super().__init__(self.describe(status))

    def describe(self, status: dict[str, Any]) -> str:
        text = f"{status.get('message') or 'the hub answered ' + str(self.code)}"
        reason = f" ({self.reason})" if self.reason else ""
        causes = [f"\n  {cause.get('field')}: {cause.get('message')}" for cause in self.causes if cause.get("field")]
        return text + reason + "".join(causes if len(causes) > 1 else [])


def target(path: str, query: Query | None) -> str:
    given = {key: str(value).lower() if isinstance(value, bool) else value for key, value in (query or {}).items()}
    text = urlencode({key: value for key, value in given.items() if value is not None})
    return quote(path, safe="/:@~") + ("?" + text if text else "")


def warnings_of(headers: list[str]) -> list[str]:
    """The texts of Warning headers: `299 - "text", 299 - "text"`."""
    found = [text for header in headers for text in _WARNING.findall(header)]
    return [re.sub(r"\\(.)", r"\1", text) for text in found]


class Client:
    def __init__(self, access: Access) -> None:
        self.access = access
        parts = urlsplit(access.server)
        if parts.scheme != "https" or not parts.hostname:
            raise Failure(f"the kubeconfig's server is {access.server!r}; an https:// address is needed")
        self.context = ssl.create_default_context(cadata=access.ca_pem)
        self.host, self.port = parts.hostname, parts.port or 443
        self.connection: http.client.HTTPSConnection | None = None
        self.used_s = 0.0  # when the connection was used last, monotonic

    def connect(self, timeout_s: float | None) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(self.host, self.port, timeout=timeout_s, context=self.context)

    def headers(self, more: dict[str, str] | None) -> dict[str, str]:
        headers = {"Accept": "application/json", "User-Agent": "edgelite"}
        if self.access.token:
            headers["Authorization"] = "Bearer " + self.access.token
        return headers | (more or {})

    def unreachable(self, error: Exception) -> Failure:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return Failure(f"cannot reach the hub at {self.access.server}: {why}; is it running?", EXIT_UNREACHABLE)

    def request(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: Any = None,
        headers: dict[str, str] | None = None,
    ) -> Any:
        """The decoded JSON answer. `body` is JSON, or bytes or a file for a raw upload. ApiError, Failure."""
        raw = body is None or isinstance(body, bytes) or hasattr(body, "read")
        data = body if raw else json.dumps(body).encode()
        typed = {} if raw else {"Content-Type": "application/json"}
        response = self.exchange(method, target(path, query), data, self.headers(typed | (headers or {})))
        answer = self.decode(response, response.read())
        for text in warnings_of(response.headers.get_all("Warning") or []):
            sys.stderr.write(f"edgelite: warning: {text}\n")
        return answer

    def exchange(
        self, method: str, url: str, data: bytes | IO[bytes] | None, headers: dict[str, str]
    ) -> http.client.HTTPResponse:
        """A read is sent once more on a fresh connection where a kept-alive one turned out dead."""
        connection, fresh = self.current()
        try:
            connection.request(method, url, data, headers)
            response = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            self.drop()
            if fresh or method != "GET":
                raise self.unreachable(error) from error
            return self.exchange(method, url, data, headers)
        self.used_s = time.monotonic()
        return response

    def current(self) -> tuple[http.client.HTTPSConnection, bool]:
        """A connection, and whether it is a new one."""
        if self.connection is not None and time.monotonic() - self.used_s > KEEP_ALIVE_S:
            self.drop()
        fresh = self.connection is None
        self.connection = self.connection or self.connect(TIMEOUT_S)
        return self.connection, fresh

    def drop(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def decode(self, response: http.client.HTTPResponse, data: bytes) -> Any:
        try:
            answer = json.loads(data) if data else {}
        except ValueError:
            answer = {"message": data.decode("utf-8", "replace")[:200]}
        if response.status >= 400:
            raise ApiError(response.status, answer if isinstance(answer, dict) else {})
        return answer

    def stream(self, path: str, query: Query | None = None, accept: str = "application/json") -> Iterator[bytes]:
        """The answer's pieces as they come, on a connection of its own without a read timeout."""
        connection = self.connect(None)
        try:
            connection.request("GET", target(path, query), headers=self.headers({"Accept": accept}))
            response = connection.getresponse()
            if response.status >= 400:
                self.decode(response, response.read())
            while piece := response.read1(65536):
                yield piece
        except (OSError, http.client.HTTPException) as error:
            raise self.unreachable(error) from error
        finally:
            connection.close()

    def watch(self, path: str, query: Query, accept: str = "application/json") -> Iterator[dict[str, Any]]:
        """The events of a watch, decoded, one a line."""
        rest = b""
        for piece in self.stream(path, query | {"watch": True}, accept):
            lines = (rest + piece).split(b"\n")
            rest = lines.pop()
            yield from (json.loads(line) for line in lines if line.strip())
