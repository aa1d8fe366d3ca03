"""The part "where": where the instructions of an operation go, as a tree of who calls whom.

callgrind says for each function what it spends itself, and on each of those it calls. Two runs of different length are
counted and the difference is shown, for one operation. A function with several callers has one account: below each of
them it is shown in proportion to what that caller spends on it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import counting
from echo_servers import OURS, Bench, Variant
from report import Part, say

SMALL = 0.02  # of the whole: what is less is not shown
NEARLY_ALL = 0.97  # of what a function spends: where one call takes that, the call alone is shown
DEEPEST = 40


@dataclass
class Account:
    """What functions spend, on themselves and on others."""

    own: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    calls: defaultdict[tuple[str, str], float] = field(default_factory=lambda: defaultdict(float))

    def minus(self, other: Account, operations: int) -> Account:
        result = Account()
        for name, cost in self.own.items():
            result.own[name] = (cost - other.own[name]) / operations
        for pair, cost in self.calls.items():
            result.calls[pair] = (cost - other.calls[pair]) / operations
        return result


def read(callgrind_out: Path) -> Account:
    """Of a file with neither strings nor positions compressed (Valgrind's manual, "Callgrind Format Specification")."""
    account = Account()
    caller = callee = library = other = ""
    is_call = False
    for line in callgrind_out.read_text().splitlines():
        if line.startswith("ob="):
            library = other = Path(line[3:]).name
        elif line.startswith("cob="):
            other = Path(line[4:]).name
        elif line.startswith("fn="):
            caller = known(line[3:], library)
        elif line.startswith("cfn="):
            callee, other = known(line[4:], other), library
        elif line.startswith("calls="):
            is_call = True
        elif re.match(r"(0x)?[0-9a-f]+ \d", line):
            cost = int(line.split()[1])
            if is_call:
                account.calls[caller, callee] += cost
            else:
                account.own[caller] += cost
            is_call = False
    return account


def known(name: str, library: str) -> str:
    """Where there are no names, which is within a stripped library, say at least whose function it is."""
    return f"{library}+{name.lstrip('0x')}" if name.startswith("0x") else name


def short(name: str) -> str:
    """Without arguments, template arguments, and the namespace that is ours."""
    name = re.sub(r"'\d+$", "", name).replace("(anonymous namespace)::", "")
    name = re.sub(r"operator(\(\)|<+|>+|->)", lambda found: "operator" + found[1].translate(HIDDEN), name)
    while (shorter := re.sub(r"<[^<>]*>|\([^()]*\)", "", name)) != name:
        name = shorter
    name = re.sub(r"\b(const|noexcept)\b|\[[^]]*\]", "", name).strip()
    name = name if name.startswith("operator ") else name.split(" ")[-1]
    return name.replace("halyard::", "").translate(SHOWN)


HIDDEN = str.maketrans("()<>", "\1\2\3\4")
SHOWN = str.maketrans("\1\2\3\4", "()<>")


def tree(account: Account, root: str) -> str:
    below: dict[str, list[tuple[str, float]]] = {}
    inclusive = defaultdict(float, account.own)
    for (caller, callee), cost in account.calls.items():
        inclusive[caller] += cost
        below.setdefault(caller, []).append((callee, cost))
    whole = inclusive[root]
    lines = [f"{'with what it calls':>18} {'itself':>8}"]

    def show(name: str, spent: float, depth: int) -> None:
        share = spent / inclusive[name] if inclusive[name] else 0
        shown = [(callee, cost * share) for callee, cost in below.get(name, []) if cost * share >= whole * SMALL]
        passes_on = len(shown) == 1 and shown[0][1] > spent * NEARLY_ALL
        if not passes_on:
            itself = account.own[name] * share
            lines.append(f"{spent:12,.0f} {spent / whole:4.0%} {itself:9,.0f}  {'  ' * depth}{short(name)}")
        if depth != DEEPEST:
            for callee, cost in sorted(shown, key=lambda each: -each[1]):
                show(callee, cost, depth + (0 if passes_on else 1))

    show(root, whole, 0)
    return "\n".join(lines)


def of_operation(bench: Bench, variant: Variant, load: counting.Load) -> str:
    out = bench.scratch / "callgrind.out"
    options = ("--compress-strings=no", "--compress-pos=no")
    accounts = []
    for length in load.lengths:
        with bench.serving(variant, *counting.callgrind(out), *options) as server:
            bench.drive(server.port, load.of(length))
        accounts.append(read(out))
    difference = accounts[1].minus(accounts[0], load.lengths[1] - load.lengths[0])
    return tree(difference, "main")


def measure(bench: Bench) -> Part:
    part = Part("where", "Where the instructions go", counting.what_cannot_be_counted())
    if not counting.can_count_instructions():
        return part
    part.notes.append(
        "What each function spends for one operation, with those it calls and by itself, by callgrind; what is less than "
        f"{SMALL:.0%} of the whole is left out, and so is who only passes on; what the compiler has inlined is part of its "
        "caller."
    )
    messages = counting.Load(("pingpong", "--connections", "64"), "--messages", (4_000, 12_000))
    connections = counting.Load(("churn", "--concurrency", "64"), "--total", (200, 600))
    trees = {
        "A 64-byte message, `write(readAll())`": (Variant(OURS), messages),
        "A 64-byte message, `peek()`/`skip()`": (Variant(OURS, ("--peek",)), messages),
        "A connection, accepted, echoed once and closed": (Variant(OURS), connections),
    }
    for title, (variant, load) in trees.items():
        say(f"where the instructions go: {title}")
        part.tables.append(f"### {title}\n\n```\n{of_operation(bench, variant, load)}\n```\n")
    return part
