"""Join tokens: what they admit, and the name of each refusal."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgelite_hub.model.objects import JOIN_TOKENS, NODES, Object
from edgelite_hub.nodes.join_logic import FAILURES_MAX, JoinLimiter, join
from edgelite_hub.security import tokens
from edgelite_protocol.errors import ProtocolError
from tests.hub.hub_world import World, make_csr, make_key


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def refusal(world: World, text: str, node: str = "n1", csr: bytes = b"") -> str:
    request = csr or make_csr(make_key())
    with pytest.raises(ProtocolError) as caught:
        world.store.transact(lambda tx: join(tx, world.environment, text, node, request))
    return caught.value.code


def test_a_token_admits_and_only_its_hash_is_kept(world: World) -> None:
    text = world.token()
    _, identifier, secret, fingerprint = text.split(".")
    assert (len(identifier), len(secret), fingerprint) == (8, 32, world.environment.authority.fingerprint)
    world.join("n1", token=text)
    assert world.get(NODES, "n1")["metadata"]["labels"]["kubernetes.io/hostname"] == "n1"
    assert secret not in json.dumps(world.list(JOIN_TOKENS))
    assert world.list(JOIN_TOKENS)[0]["status"]["usedBy"] == ["n1"]


def test_the_middle_of_a_token_is_what_nodes_send(world: World) -> None:
    world.join("n1", token=".".join(world.token().split(".")[1:3]))


def test_labels_of_the_token_come_onto_the_node_and_never_rename_it(world: World) -> None:
    world.join("n1", nodeLabels={"site": "roof", "kubernetes.io/hostname": "other"})
    assert world.get(NODES, "n1")["metadata"]["labels"] == {"site": "roof", "kubernetes.io/hostname": "n1"}


def expired(world: World) -> str:
    text = world.token(ttlSeconds=60)
    world.unix_ms += 60_000
    return text


def revoked(world: World) -> str:
    text = world.token()
    name = world.list(JOIN_TOKENS)[0]["metadata"]["name"]
    world.store.transact(lambda tx: tokens.revoke(tx, text.split(".")[1]))
    world.delete(JOIN_TOKENS, name)
    return text


def deleted_just_before_a_crash(world: World) -> str:
    text = world.token()
    world.delete(JOIN_TOKENS, world.list(JOIN_TOKENS)[0]["metadata"]["name"])
    return text


def wrong_secret(world: World) -> str:
    parts = world.token().split(".")
    parts[2] = "0" * 32
    return ".".join(parts)


def used_up(world: World) -> str:
    text = world.token(uses=1)
    world.join("n0", token=text)
    return text


BAD_TOKENS: dict[str, tuple[Callable[[World], str], str]] = {
    "expired": (expired, "token_expired"),
    "revoked": (revoked, "token_revoked"),
    "deleted": (deleted_just_before_a_crash, "token_revoked"),
    "wrong secret": (wrong_secret, "token_unknown"),
    "unknown id": (lambda world: "edgelite1.00000000." + "0" * 32 + "." + "0" * 64, "token_unknown"),
    "used up": (used_up, "token_used_up"),
    "another name's": (lambda world: world.token(nodeNamePattern="meter-*"), "token_for_another_name"),
    "empty": (lambda world: "", "token_malformed"),
    "cut": (lambda world: world.token()[:30], "token_malformed"),
    "not hex": (lambda world: "edgelite1.zzzzzzzz." + "0" * 32 + "." + "0" * 64, "token_malformed"),
    "upper case": (lambda world: world.token().upper(), "token_malformed"),
    "another version": (lambda world: world.token().replace("edgelite1", "edgelite2"), "token_malformed"),
}


@pytest.mark.parametrize("name", BAD_TOKENS)
def test_bad_tokens(world: World, name: str) -> None:
    make, code = BAD_TOKENS[name]
    assert refusal(world, make(world)) == code
    assert world.get(NODES, "n1") is None, "nothing of a refused join is kept"


def test_a_token_for_some_nodes_lets_each_try_again(world: World) -> None:
    text, key = world.token(uses=1), make_key()
    world.join("n1", key, text)
    world.join("n1", key, text)
    assert world.list(JOIN_TOKENS)[0]["status"]["uses"] == 1


@pytest.mark.parametrize("name", ["", "UPPER", "under_score", "-dash", "dot.", "a" * 254, "a/b", "n\u00e4me"])
def test_node_names_are_kubernetes_names(world: World, name: str) -> None:
    assert refusal(world, world.token(), name) == "node_name_invalid"


def test_no_token_takes_over_a_node_that_lives_unless_it_names_it(world: World) -> None:
    world.join("n1").connect()
    assert refusal(world, world.token()) == "node_exists"
    assert refusal(world, world.token(nodeNamePattern="n*")) == "node_exists"
    world.join("n1", nodeNamePattern="n1")


def test_a_join_whose_answer_was_lost_can_be_done_again(world: World) -> None:
    world.join("n1")
    world.join("n1")


INVALID: dict[str, tuple[dict[str, Any], str]] = {
    "a past end": ({"expiresAt": "2020-01-01T00:00:00Z"}, "spec.expiresAt"),
    "no time zone": ({"expiresAt": "2099-01-01T00:00:00"}, "spec.expiresAt"),
    "a far end": ({"expiresAt": "2999-01-01T00:00:00Z"}, "spec.expiresAt"),
    "no time": ({"expiresAt": "tomorrow"}, "spec.expiresAt"),
    "no seconds": ({"ttlSeconds": 0}, "spec.ttlSeconds"),
    "text": ({"ttlSeconds": "3600"}, "spec.ttlSeconds"),
    "truth": ({"ttlSeconds": True}, "spec.ttlSeconds"),
    "no uses": ({"uses": 0}, "spec.uses"),
}


@pytest.mark.parametrize("name", INVALID)
def test_invalid_tokens_name_the_field(world: World, name: str) -> None:
    spec, path = INVALID[name]
    with pytest.raises(tokens.InvalidToken) as caught:
        world.token(**spec)
    assert caught.value.path == path


def test_expired_tokens_are_marked(world: World) -> None:
    world.token(ttlSeconds=60)
    world.token(ttlSeconds=600)
    later_ms = world.unix_ms + 61_000
    assert world.store.read(lambda tx: tokens.has_expired(later_ms, tx))
    world.store.transact(lambda tx: tokens.mark_expired(later_ms, tx))
    assert not world.store.read(lambda tx: tokens.has_expired(later_ms, tx))
    marks = sorted(value["status"]["expired"] for value in world.list(JOIN_TOKENS))
    assert marks == [False, True]


def test_failed_joins_are_limited_per_address_and_forgotten_in_time() -> None:
    limiter = JoinLimiter()
    for _ in range(FAILURES_MAX):
        limiter.check("192.0.2.1", 0)
        limiter.failed("192.0.2.1", 0)
    with pytest.raises(ProtocolError, match="join_rate_limited"):
        limiter.check("192.0.2.1", 59_999)
    limiter.check("192.0.2.2", 0)
    limiter.check("192.0.2.1", 60_000)


def test_a_scan_from_many_addresses_takes_bounded_memory() -> None:
    limiter = JoinLimiter()
    for number in range(10_000):
        limiter.failed(f"2001:db8::{number:x}", 0)
    assert len(limiter._failures) <= 1_024


def test_a_token_object_that_skipped_preparation_admits_nobody(world: World) -> None:
    value: Object = world.object("edgelite.dev/v1", "JoinToken", "bare", "", spec={})
    world.put(JOIN_TOKENS, value)
    assert refusal(world, "edgelite1.00000000." + "0" * 32 + "." + "0" * 64) == "token_unknown"
