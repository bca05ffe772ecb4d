"""`edgelite delete`: what it asks of the hub, and when it takes an object for gone."""

from __future__ import annotations

import argparse
from typing import Any

import pytest

from edgelite_cli.client import ApiError
from edgelite_cli.commands import delete
from edgelite_cli.failure import Failure
from edgelite_cli.resources import Resource

PODS = Resource("v1", "Pod", "pods", frozenset({"pods"}), True)


class FakeClient:
    """Answers each GET with the next of `uids`, the last one for ever; None is an object that is not there."""

    def __init__(self, *uids: str | None) -> None:
        self.uids = list(uids)
        self.queries: list[Any] = []

    def request(self, method: str, path: str, query: Any = None) -> Any:
        if method == "DELETE":
            self.queries.append(query)
            return {"kind": "Pod", "metadata": {"uid": "first"}}
        uid = self.uids.pop(0) if len(self.uids) > 1 else self.uids[0]
        if uid is None:
            raise ApiError(404, {"reason": "NotFound"})
        return {"metadata": {"uid": uid}}


def given(**changes: Any) -> argparse.Namespace:
    return argparse.Namespace(
        **({"now": False, "force": False, "grace_period": None, "ignore_not_found": False} | changes)
    )


TARGET = (PODS, "default", "hello-abcde")


@pytest.mark.parametrize("left", [("first", None), ("first", "second")], ids=["gone", "replaced by a DaemonSet"])
def test_a_pod_is_gone_also_where_the_next_has_its_name(left: tuple[str | None, ...]) -> None:
    client: Any = FakeClient(*left)
    uid = delete.delete(client, TARGET, given())
    assert uid == "first"
    delete.wait(client, [(TARGET, uid)], 5)


def test_a_pod_whose_node_is_away_is_said_to_be_terminating() -> None:
    client: Any = FakeClient("first")
    with pytest.raises(Failure, match="still Terminating"):
        delete.wait(client, [(TARGET, "first")], 0)


@pytest.mark.parametrize(
    ("options", "seconds"),
    [({}, None), ({"grace_period": 5}, 5), ({"grace_period": 0}, 1), ({"now": True}, 1), ({"force": True}, 0)],
)
def test_only_force_goes_without_the_nodes_word(options: dict[str, Any], seconds: int | None) -> None:
    client: Any = FakeClient(None)
    delete.delete(client, TARGET, given(**options))
    assert client.queries == [{"gracePeriodSeconds": seconds}]
