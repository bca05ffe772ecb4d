"""What the API serves beside the generic verbs: pushing artifacts, a Pod's log, a Device's telemetry, the keys of a
node behind a gateway."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from edgelite_hub import telemetry
from edgelite_hub.api.errors import json_response
from edgelite_hub.api.requests import flag, json_body, number, require, subject_of
from edgelite_hub.artifacts import ArtifactRefused
from edgelite_hub.compiler.artifact_names import TAG_DEFAULT
from edgelite_hub.hub import Hub, NodeUnreachable
from edgelite_hub.model.objects import (
    ARTIFACTS,
    DEVICES,
    NODES,
    PODS,
    Object,
    is_object_name,
    node_of,
    parse_rfc3339,
)
from edgelite_hub.model.status import StatusError, bad_request, not_found, too_large
from edgelite_hub.nodes.logs import LogOptions, LogStream, read


def extra_routes(hub: Hub) -> list[BaseRoute]:
    routes = _Routes(hub)
    telemetry_path = "/apis/edgelite.dev/v1/namespaces/{namespace}/devices/{name}/telemetry"
    return [
        Route("/apis/edgelite.dev/v1/artifacts/{name}", routes.put_artifact, methods=["PUT"]),
        Route("/api/v1/namespaces/{namespace}/pods/{name}/log", routes.pod_log, methods=["GET"]),
        Route(telemetry_path, routes.telemetry, methods=["GET"]),
        Route("/api/v1/nodes/{name}/oscore", routes.provision, methods=["POST"]),
    ]


class _LogResponse(StreamingResponse):
    """Closes the node's stream however the answer ends, also where the client goes before it begins."""

    def __init__(self, stream: LogStream) -> None:
        super().__init__(read(stream), media_type="text/plain")
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._stream.cancel()


class _Routes:
    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def put_artifact(self, request: Request) -> Response:
        """The body is the artifact; ?tag= names what it becomes."""
        name = request.path_params["name"]
        require(subject_of(request), "update", self._hub.registry[ARTIFACTS], "", "", name)
        tag = request.query_params.get("tag") or TAG_DEFAULT
        try:
            value = await self._hub.put_artifact(name, tag, request.stream())
        except ArtifactRefused as error:
            if error.reason == "TooLarge":
                raise too_large(self._hub.settings.artifact_size_bytes_max) from error
            raise bad_request(error.text) from error
        return json_response(value)

    async def pod_log(self, request: Request) -> Response:
        pod = await self._find(request, PODS, "log")
        options = _log_options(request, pod, self._hub.unix_ms())
        if not node_of(pod):
            raise bad_request("the Pod is not bound to a node, so it has no log")
        try:
            stream = self._hub.open_pod_log(pod, options)
        except NodeUnreachable as error:
            raise StatusError(503, "ServiceUnavailable", error.text) from error
        return _LogResponse(stream)

    async def telemetry(self, request: Request) -> Response:
        namespace, name = request.path_params["namespace"], request.path_params["name"]
        kind, query = self._hub.registry[DEVICES], request.query_params
        require(subject_of(request), "get", kind, "telemetry", namespace, name)
        asked = telemetry.Query(
            device=f"{namespace}/{name}",
            property=query.get("property") or None,
            since_ms=self._moment(request, "since"),
            until_ms=self._moment(request, "until"),
            limit=_or(number(query, "limit"), telemetry.LIMIT_DEFAULT),
            continue_text=query.get("continue", ""),
        )
        try:
            found = await self._hub.telemetry(asked)
        except telemetry.InvalidQuery as error:
            raise bad_request(f"the query parameter {error.field} {error.text}") from error
        if found is None:
            raise not_found(kind.plural, kind.group, name)
        return json_response(found)

    async def provision(self, request: Request) -> Response:
        """Keys for a node on a serial line, and its Node where there is none. They are shown this once."""
        name = request.path_params["name"]
        require(subject_of(request), "create", self._hub.registry[NODES], "oscore", "", name)
        if await json_body(request) != {}:
            raise bad_request("the body must be an empty object: the hub makes the keys")
        if not is_object_name(name):
            raise bad_request("a node's name has lower-case letters, digits, '-' and '.'")
        return json_response(await self._hub.provision(name), 201, {"Cache-Control": "no-store"})

    async def _find(self, request: Request, resource: str, subresource: str) -> Object:
        namespace, name = request.path_params["namespace"], request.path_params["name"]
        kind = self._hub.registry[resource]
        require(subject_of(request), "get", kind, subresource, namespace, name)
        value = await self._hub.writer.read(lambda transaction: transaction.get(resource, namespace, name))
        if value is None:
            raise not_found(kind.plural, kind.group, name)
        return value

    def _moment(self, request: Request, name: str) -> int | None:
        """Unix milliseconds or an RFC 3339 time."""
        text = request.query_params.get(name, "")
        if not text:
            return None
        if text.isdecimal() and len(text) < 16:
            return int(text)
        try:
            return parse_rfc3339(text.replace(" ", "+"))  # a "+" in a query is a space to those who do not escape it
        except ValueError as error:
            raise bad_request(f"the query parameter {name} must be milliseconds or an RFC 3339 time") from error


def _log_options(request: Request, pod: Object, now_ms: int) -> LogOptions:
    query = request.query_params
    names = [str(container["name"]) for container in pod["spec"]["containers"]]
    container = query.get("container") or (names[0] if len(names) == 1 else "")
    if container not in names:
        given = f"container {container} is not valid" if container else "a container name must be specified"
        name = pod["metadata"]["name"]
        raise bad_request(f"{given} for pod {name}, choose one of: {', '.join(names)}")
    seconds = number(query, "sinceSeconds")
    return LogOptions(
        container,
        tail_lines=min(_or(number(query, "tailLines"), -1), 0x7FFFFFFF),
        follow=flag(query, "follow"),
        previous=flag(query, "previous"),
        since_ms=0 if seconds is None else max(0, now_ms - seconds * 1000),
    )


def _or(value: int | None, default: int) -> int:
    return default if value is None else value
