"""The table of releases says what the tags say, as far as this clone has tags."""

import subprocess

from releases import COMMIT_OF, ROOT


def test_every_tag_of_a_release_is_in_the_table() -> None:
    look = ["git", "for-each-ref", "--format=%(refname:short) %(objectname) %(*objectname)", "refs/tags/v*"]
    told = subprocess.run(look, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    rows = [line.split() for line in told.splitlines()]
    tags = {row[0]: row[-1] for row in rows}  # an annotated tag has the commit behind its own object
    assert tags.items() <= COMMIT_OF.items()
    assert all(len(commit) == 40 for commit in COMMIT_OF.values()), "whole commit ids"
