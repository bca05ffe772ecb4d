"""Rules on packets in a namespace, by nftables or iptables: connections refused, large packets dropped."""

from __future__ import annotations

import shutil
import subprocess

COMMAND_TIMEOUT_S = 10.0
TABLE = "edgelite"


class NamespaceError(Exception):
    """A namespace can not be had, or not in this way; the text says what is missing."""


def command(*words: str, text: str = "") -> None:
    done = subprocess.run(words, input=text, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=False)
    if done.returncode == 0:
        return
    said = (done.stderr or done.stdout).strip().splitlines()
    why = said[0].removeprefix("Error: ").rstrip(".") if said else f"code {done.returncode}"
    if "qdisc kind is unknown" in why:
        why += f" (the kernel is without the module sch_{_queue_of(words)})"
    raise NamespaceError(f"`{' '.join(words)}`: {why}")


def _queue_of(words: tuple[str, ...]) -> str:
    return words[words.index("root") + 1] if "root" in words else "?"


def apply(namespace: str, *, is_refused: bool, hole_bytes: int) -> None:
    """NamespaceError where there is something to do and nothing that does it."""
    nft, iptables = shutil.which("nft"), shutil.which("iptables")
    if nft is not None:
        command("ip", "netns", "exec", namespace, nft, "-f", "-", text=nft_rules(is_refused, hole_bytes))
    elif iptables is not None:
        for words in iptables_rules(is_refused, hole_bytes):
            command("ip", "netns", "exec", namespace, iptables, *words)
    elif is_refused or hole_bytes:
        raise NamespaceError("the programs 'nft' and 'iptables' are missing, and one of them is needed for this")


def nft_rules(is_refused: bool, hole_bytes: int) -> str:
    """The whole table, in place of what it was."""
    chains = ""
    for hook, device in (("output", "oifname"), ("input", "iifname")):
        outside = f'{device} != "lo"'
        lines = [f"type filter hook {hook} priority 0;"]
        if is_refused and hook == "output":
            lines += [f"{outside} meta l4proto tcp reject with tcp reset", f"{outside} reject"]
        elif is_refused:
            lines.append(f"{outside} drop")
        if hole_bytes:
            lines.append(f"{outside} meta length > {hole_bytes} drop")
        chains += f"  chain {hook} {{\n" + "".join(f"    {line}\n" for line in lines) + "  }\n"
    return f"table inet {TABLE}\ndelete table inet {TABLE}\ntable inet {TABLE} {{\n{chains}}}\n"


def iptables_rules(is_refused: bool, hole_bytes: int) -> list[list[str]]:
    """In an order in which each replaces what was before."""
    rules = [["-F", "OUTPUT"], ["-F", "INPUT"]]
    if is_refused:
        outward = ["-A", "OUTPUT", "!", "-o", "lo"]
        rules.append([*outward, "-p", "tcp", "-j", "REJECT", "--reject-with", "tcp-reset"])
        rules.append([*outward, "-j", "REJECT"])
        rules.append(["-A", "INPUT", "!", "-i", "lo", "-j", "DROP"])
    if hole_bytes:
        for chain, way in (("OUTPUT", "-o"), ("INPUT", "-i")):
            rules.append(
                ["-A", chain, "!", way, "lo", "-m", "length", "--length", f"{hole_bytes + 1}:65535", "-j", "DROP"]
            )
    return rules
