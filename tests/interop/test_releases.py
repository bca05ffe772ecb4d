"""The table of releases says what the tags say, as far as this clone has tags."""

import subprocess

from releases import COMMIT_OF, ROOT


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False).stdout


def test_every_release_before_this_commit_is_in_the_table() -> None:
    """A commit cannot name itself, so a release is added by the commit after it."""
    here = git("rev-parse", "HEAD").strip()
    told = git(
        "for-each-ref", "--merged=HEAD", "--format=%(refname:short) %(objectname) %(*objectname)", "refs/tags/v*"
    )
    rows = [line.split() for line in told.splitlines()]
    tags = {row[0]: row[-1] for row in rows if row[-1] != here}  # an annotated tag has the commit as its last field
    assert tags.items() <= COMMIT_OF.items()
    assert all(len(commit) == 40 for commit in COMMIT_OF.values()), "whole commit ids"
