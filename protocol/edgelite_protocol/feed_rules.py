"""What a hub decides when a node says hello: pure rules as tables, shared by hub, simulator and tests.

`choose_feed_mode`   how the node gets its desired state (SPEC.md, "Feed")
`judge_journal`      whether its journal is the one that the hub knows (SPEC.md, "Identity")
`find_gaps`          what the node has acknowledgements for and the hub's store lacks (SPEC.md, "Gaps")
"""

from edgelite_protocol import messages as m

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# What judge_journal answers.
JOURNAL_OK = 0
JOURNAL_OLDER_COPY = 1  # welcome with WELCOME_NEW_JOURNAL
JOURNAL_CLONED = 2  # end with "identity_cloned"

# How a hello's generation lies to the one last seen.
_EARLIER = 0
_SAME = 1
_LATER = 2

# (generation, is the instance the same, was the journal forked before): verdict. A journal is forked once the hub
# has ordered a new id for an older copy of it: whoever goes on with the forked one is a second node.
_VERDICTS = {
    (_LATER, False, False): JOURNAL_OK,
    (_LATER, False, True): JOURNAL_CLONED,
    (_LATER, True, False): JOURNAL_CLONED,  # an instance belongs to one generation
    (_LATER, True, True): JOURNAL_CLONED,
    (_SAME, True, False): JOURNAL_OK,
    (_SAME, True, True): JOURNAL_CLONED,
    (_SAME, False, False): JOURNAL_OLDER_COPY,
    (_SAME, False, True): JOURNAL_OLDER_COPY,  # the copy again, before it kept its new id
    (_EARLIER, False, False): JOURNAL_OLDER_COPY,
    (_EARLIER, False, True): JOURNAL_OLDER_COPY,
    (_EARLIER, True, False): JOURNAL_CLONED,
    (_EARLIER, True, True): JOURNAL_CLONED,
}


def judge_journal(
    hello: "dict[int, Any]", known: "tuple[int, bytes] | None", forked: bool = False, live: bool = False
) -> int:
    """JOURNAL_*. `known` is (generation, instance) last welcomed for this node and journal id, None for a journal
    never seen; `forked` that an older copy of it was given a new id; `live` that the session of `known` has
    answered since this hello arrived, so two nodes are there at once."""
    if known is None:
        return JOURNAL_OK
    generation = hello[m.HELLO_GENERATION]
    order = _SAME if generation == known[0] else _LATER if generation > known[0] else _EARLIER
    verdict = _VERDICTS[(order, hello[m.HELLO_INSTANCE] == known[1], forked)]
    if live and verdict == JOURNAL_OLDER_COPY:
        return JOURNAL_CLONED
    return verdict


class FeedHistory:
    """What the hub's history says at the revision that a hello carries.

    `revision_last` is the newest revision (0 none), `digest_held` the digest of its entry at the hello's revision
    (None where there is none any more), `complete` whether every entry after that revision is still there.
    """

    def __init__(self, epoch: bytes, revision_last: int, digest_held: "bytes | None", complete: bool) -> None:
        self.epoch = epoch
        self.revision_last = revision_last
        self.digest_held = digest_held
        self.complete = complete


# How the digests compare at the hello's revision.
_UNKNOWN = 0  # the hub's entry is compacted away, or the node has applied none (revision 0)
_EQUAL = 1
_DIFFERENT = 2

# (digests, is what follows complete): mode, once the epochs are equal and the node is not ahead.
_MODES = {
    (_EQUAL, True): m.MODE_DELTA,
    (_EQUAL, False): m.MODE_SNAPSHOT,
    (_UNKNOWN, True): m.MODE_SNAPSHOT,
    (_UNKNOWN, False): m.MODE_SNAPSHOT,
    (_DIFFERENT, True): m.MODE_DIVERGED,
    (_DIFFERENT, False): m.MODE_DIVERGED,
}


def choose_feed_mode(hello: "dict[int, Any]", history: FeedHistory) -> int:
    """MODE_*: MODE_SNAPSHOT where the node has no epoch yet; MODE_DIVERGED where its epoch is foreign, it is ahead
    of this history, or an entry differs; otherwise what is missing, as delta where the hub still has it."""
    if m.HELLO_EPOCH not in hello:
        return m.MODE_SNAPSHOT
    revision = hello[m.HELLO_REVISION]
    if hello[m.HELLO_EPOCH] != history.epoch or revision > history.revision_last:
        return m.MODE_DIVERGED
    if revision == 0:
        return m.MODE_DELTA if history.complete else m.MODE_SNAPSHOT
    if history.digest_held is None:
        digests = _UNKNOWN
    else:
        digests = _EQUAL if history.digest_held == hello[m.HELLO_DIGEST] else _DIFFERENT
    return _MODES[(digests, history.complete)]


def find_gaps(acknowledged: "list[list[int]]", stored: "list[list[int]]") -> "list[list[int]]":
    """WELCOME_GAPS: [lane, from generation, from sequence, to generation, to sequence] for each lane where the
    node keeps a later acknowledgement than the store holds. "from" is what is stored, exclusive; "to" inclusive."""
    positions = {row[0]: (row[1], row[2]) for row in stored}
    gaps = []
    for lane, generation, sequence in acknowledged:
        have = positions.get(lane, (0, 0))
        if have < (generation, sequence):
            gaps.append([lane, have[0], have[1], generation, sequence])
    return gaps
