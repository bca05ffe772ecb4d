"""The API as an ASGI application over a hub."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Route

from edgelite_hub.api import discovery, openapi
from edgelite_hub.api.errors import Gate, handle_http_exception, handle_status_error
from edgelite_hub.api.handlers import Handlers
from edgelite_hub.api.hub import Hub
from edgelite_hub.api.watches import Watches
from edgelite_hub.model.status import StatusError

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def create_app(hub: Hub, extra_routes: Iterable[BaseRoute] = ()) -> Starlette:
    """Serves the kinds of `hub.registry`.

    `extra_routes` come before the generic ones, behind the same authentication: they find the subject with
    `requests.subject_of` and authorize for themselves; a StatusError that they raise becomes its answer.

    `app.state.watches.close()` ends all watches, so that a server that stops need not wait for them.
    """
    registry = hub.registry
    watches = Watches(hub.writer)
    handlers = Handlers(hub, watches)
    app = Starlette(
        routes=[
            *extra_routes,
            *discovery.routes(hub),
            *openapi.routes(registry),
            Route("/api/{version}/{rest:path}", handlers.handle, methods=METHODS),
            Route("/apis/{group}/{version}/{rest:path}", handlers.handle, methods=METHODS),
        ],
        middleware=[Middleware(Gate, hub=hub)],
        exception_handlers={StatusError: handle_status_error, HTTPException: handle_http_exception},
    )
    app.router.redirect_slashes = False
    app.state.watches = watches
    return app
