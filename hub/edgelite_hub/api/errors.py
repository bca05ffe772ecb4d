"""Every failure of a request as a Status object: ours, the framework's, the store's, and what nobody expected."""

from __future__ import annotations

import json
import logging
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edgelite_hub.api.hub import Hub
from edgelite_hub.model.status import StatusError, internal, method_not_allowed, no_such_path, unauthorized
from edgelite_hub.security.authz import ANONYMOUS, Subject
from edgelite_protocol.errors import EdgeliteError, PlatformError

logger = logging.getLogger("edgelite.hub.api")


def json_response(value: Any, code: int = 200, headers: dict[str, str] | None = None) -> Response:
    body = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    return Response(body, code, {"Cache-Control": "no-cache, private", **(headers or {})}, "application/json")


def status_response(error: StatusError) -> Response:
    return json_response(error.body(), error.code, error.headers)


async def handle_status_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, StatusError):
        raise error
    return status_response(error)


async def handle_http_exception(request: Request, error: Exception) -> Response:
    """What the router raises."""
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code == 405:
        return status_response(method_not_allowed(request.method))
    if error.status_code == 404:
        return status_response(no_such_path())
    return status_response(StatusError(error.status_code, "BadRequest", error.detail))


def unexpected(error: Exception) -> StatusError:
    """What a client may know of an error that is not its own."""
    if isinstance(error, PlatformError):
        logger.error("the platform failed: %s", error)
        return internal(str(error))
    if isinstance(error, EdgeliteError):
        logger.error("a request failed: %s", error, exc_info=error)
        return internal(str(error))
    logger.error("a request failed unexpectedly", exc_info=error)
    return internal("see the hub's log")


class Gate:
    """Before everything else: who asks. Around everything else: no exception leaves without an answer."""

    def __init__(self, app: ASGIApp, hub: Hub) -> None:
        self._app = app
        self._hub = hub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def noting_send(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            scope.setdefault("state", {})["subject"] = self._subject(scope)
            await self._app(scope, receive, noting_send)
        except StatusError as error:
            await status_response(error)(scope, receive, send)
        except ClientDisconnect:
            pass  # it left in the middle of its request: nobody is there to be answered, and nothing is wrong here
        except Exception as error:
            if started:  # too late to answer; the server ends the connection, which tells the client
                raise
            await status_response(unexpected(error))(scope, receive, send)

    def _subject(self, scope: Scope) -> Subject:
        values = [value for name, value in scope["headers"] if name == b"authorization"]
        subject = self._hub.authenticate(values[0].decode("latin-1") if len(values) == 1 else None)
        if subject.kind == ANONYMOUS:
            raise unauthorized()
        return subject
