"""Any method, path, query and body: an answer below 500, and a Status wherever it is a refusal."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgelite_hub.store.sqlite import SqliteStore
from tests.hub.api_server import Api, config_map, pod, serving

RESIDENT_MB_MAX = 45  # of the API with its server and store; 34 when this was written, of the hub's 60


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    store = SqliteStore(tmp_path_factory.mktemp("hub") / "hub.db")
    with serving(store) as made:
        made.post("/api/v1/namespaces/default/pods", pod())
        made.post("/api/v1/namespaces/default/configmaps", config_map())
        yield made
    store.close()


words = st.one_of(
    st.sampled_from(["api", "apis", "v1", "apps", "namespaces", "default", "pods", "configmaps", "nodes", "a", "status",
                     "log", "devices.kubeedge.io", "v1beta1", "devices", "version", "openapi", "v3", "events"]),
    st.text(max_size=4),
)  # fmt: skip
known = st.sampled_from(
    ["/api/v1/namespaces/default/pods", "/api/v1/namespaces/default/pods/a", "/api/v1/namespaces/default/pods/a/status",
     "/api/v1/configmaps", "/api/v1/namespaces/default/configmaps/a", "/apis/apps/v1/daemonsets", "/api/v1/nodes/x"]
)  # fmt: skip
paths = st.one_of(known, st.lists(words, max_size=7).map(lambda parts: "/" + "/".join(map(quote, parts))))
parameters = st.sampled_from(
    ["limit", "continue", "resourceVersion", "resourceVersionMatch", "labelSelector", "fieldSelector", "dryRun",
     "fieldValidation", "timeoutSeconds", "sendInitialEvents", "gracePeriodSeconds", "propagationPolicy"]
)  # fmt: skip
arguments = st.one_of(
    st.sampled_from(["", "0", "1", "-1", "99999999999999999999", "true", "Exact", "NotOlderThan", "All", "a=b"]),
    st.text(max_size=5),
)
queries = st.dictionaries(parameters, arguments, max_size=3)
bodies = st.one_of(
    st.none(),
    st.binary(max_size=12),
    st.sampled_from([b"{}", b"[]", b"null", b'{"metadata":{"name":"b"}}', b'{"metadata":{"labels":{"x":"y"}}}']),
    st.just(json.dumps(pod("b")).encode()),
)
media_types = st.sampled_from(
    ["application/json", "application/merge-patch+json", "application/json-patch+json", "text/plain", "",
     "application/strategic-merge-patch+json", "application/apply-patch+yaml", ";;;"]
)  # fmt: skip
methods = st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])


@settings(max_examples=250, deadline=None)
@given(method=methods, path=paths, query=queries, body=bodies, media_type=media_types)
def test_any_request_is_answered(
    api: Api, method: str, path: str, query: dict[str, str], body: bytes | None, media_type: str
) -> None:
    asked = "&".join(f"{name}={quote(value)}" for name, value in query.items())
    answer = api.request(method, f"{path}?{asked}", body, Content_Type=media_type)
    assert answer.code < 500 or answer.code == 504, answer.text
    if answer.code >= 400:
        assert answer.json["kind"] == "Status"
        assert answer.json["code"] == answer.code


def test_the_api_stays_small() -> None:
    program = """
import sys, uvicorn, uvicorn.protocols.http.h11_impl
from edgelite_hub.api.app import create_app
from edgelite_hub.kinds import default_registry
from edgelite_hub.store.sqlite import SqliteStore
default_registry()
resident = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmRSS")]
print(int(resident[0]) // 1024, *sorted({name.split(".")[0] for name in sys.modules}))
"""
    path = ":".join(entry for entry in sys.path if entry)
    out = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
        env={"PYTHONPATH": path},
    ).stdout.split()
    assert int(out[0]) <= RESIDENT_MB_MAX
    assert not {"pydantic", "jsonschema", "httpx", "yaml", "uvloop", "httptools", "cbor2"} & set(out[1:])
