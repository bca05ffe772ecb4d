"""The hub's decisions about a hello, every case of them."""

from edgelite_protocol import messages as m
from edgelite_protocol.feed_rules import (
    JOURNAL_CLONED,
    JOURNAL_OK,
    JOURNAL_OLDER_COPY,
    FeedHistory,
    choose_feed_mode,
    find_gaps,
    judge_journal,
)

EPOCH = b"epoch-01"
OTHER = b"epoch-02"
SAME_DIGEST = b"digest-s"
OTHER_DIGEST = b"digest-o"


def hello_at(epoch: "bytes | None", revision: int) -> "dict[int, object]":
    hello: dict[int, object] = {m.HELLO_REVISION: revision}
    if epoch is not None:
        hello.update({m.HELLO_EPOCH: epoch, m.HELLO_DIGEST: SAME_DIGEST})
    return hello


def expected_mode(epoch: "bytes | None", revision: int, last: int, digest: "bytes | None", complete: bool) -> int:
    """The rule once more, as SPEC.md words it: the first line that fits."""
    if epoch is None:
        return m.MODE_SNAPSHOT
    if epoch == OTHER:
        return m.MODE_DIVERGED
    if revision > last:
        return m.MODE_DIVERGED
    if revision > 0 and digest == OTHER_DIGEST:
        return m.MODE_DIVERGED
    if complete and (revision == 0 or digest == SAME_DIGEST):
        return m.MODE_DELTA
    return m.MODE_SNAPSHOT


def test_every_case_of_a_feed() -> None:
    seen = set()
    for epoch in (None, EPOCH, OTHER):
        for revision in (0, 4, 5, 6):
            for digest in (None, SAME_DIGEST, OTHER_DIGEST):
                for complete in (True, False):
                    history = FeedHistory(EPOCH, 5, digest, complete)
                    mode = choose_feed_mode(hello_at(epoch, revision), history)
                    case = (epoch, revision, 5, digest, complete)
                    assert mode == expected_mode(*case), case
                    seen.add(mode)
    assert seen == {m.MODE_DELTA, m.MODE_SNAPSHOT, m.MODE_DIVERGED}


def test_the_cases_that_matter_most() -> None:
    """Written out: what a wrong answer would cost."""
    history = FeedHistory(EPOCH, 5, SAME_DIGEST, True)
    assert choose_feed_mode(hello_at(EPOCH, 5), history) == m.MODE_DELTA  # nothing is sent twice
    assert choose_feed_mode(hello_at(OTHER, 5), history) == m.MODE_DIVERGED  # else workloads would be removed
    assert choose_feed_mode(hello_at(EPOCH, 6), history) == m.MODE_DIVERGED  # a restored hub that kept its epoch
    assert choose_feed_mode(hello_at(None, 0), FeedHistory(EPOCH, 0, None, True)) == m.MODE_SNAPSHOT


def judge(generation: int, instance: bytes, forked: bool = False, live: bool = False) -> int:
    hello = {m.HELLO_GENERATION: generation, m.HELLO_INSTANCE: instance}
    return judge_journal(hello, (7, b"known..."), forked, live)


def test_every_case_of_a_journal() -> None:
    same, other = b"known...", b"other..."
    for generation, instance, forked, verdict in (
        (8, other, False, JOURNAL_OK),
        (8, other, True, JOURNAL_CLONED),
        (8, same, False, JOURNAL_CLONED),
        (8, same, True, JOURNAL_CLONED),
        (7, same, False, JOURNAL_OK),
        (7, same, True, JOURNAL_CLONED),
        (7, other, False, JOURNAL_OLDER_COPY),
        (7, other, True, JOURNAL_OLDER_COPY),
        (6, other, False, JOURNAL_OLDER_COPY),
        (6, other, True, JOURNAL_OLDER_COPY),
        (6, same, False, JOURNAL_CLONED),
        (6, same, True, JOURNAL_CLONED),
    ):
        case = (generation, instance, forked)
        assert judge(generation, instance, forked) == verdict, case
        beside = JOURNAL_CLONED if verdict == JOURNAL_OLDER_COPY else verdict
        assert judge(generation, instance, forked, live=True) == beside, case


def test_a_journal_never_seen_is_taken() -> None:
    hello = {m.HELLO_GENERATION: 1, m.HELLO_INSTANCE: b"instance"}
    assert judge_journal(hello, None) == JOURNAL_OK


def test_gaps_are_named_by_lane() -> None:
    for acknowledged, stored, gaps in (
        ([], [], []),
        ([[0, 1, 5]], [[0, 1, 5]], []),
        ([[0, 1, 5]], [[0, 2, 1]], []),
        ([[0, 2, 5]], [[0, 1, 9]], [[0, 1, 9, 2, 5]]),
        ([[0, 2, 5], [1, 2, 7]], [[0, 2, 5]], [[1, 0, 0, 2, 7]]),
    ):
        assert find_gaps(acknowledged, stored) == gaps, acknowledged
