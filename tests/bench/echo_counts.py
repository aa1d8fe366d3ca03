"""The part "counts": instructions and system calls of the echo servers for one operation.

A server that is counted is slow and finds many connections ready at once; all figures are taken that way.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import counting
from echo_servers import OURS, TASKS, Bench, Variant
from report import Goal, Part, number, say, table, verdict


@dataclass(frozen=True)
class Operation:
    """What is counted, and the goals for instructions and for system calls by variant."""

    title: str
    load: counting.Load
    instructions: dict[str, Goal]
    calls: dict[str, Goal]
    tasks_beside_slots: float | None = None  # how many times as many instructions tasks may need


@dataclass
class Count:
    """What one operation costs a server."""

    load: str
    variant: str
    instructions: float | None = None
    calls: float | None = None
    calls_by_name: dict[str, float] | None = None


def operations(quick: bool) -> list[Operation]:
    pingpong = ("pingpong", "--connections", "64", "--size", "64")
    churn = ("churn", "--concurrency", "64")
    return [
        Operation(
            "64-byte message, echoed over 64 connections",
            counting.Load(pingpong, "--messages", (4_000, 12_000) if quick else (20_000, 60_000)),
            instructions={"halyard": Goal(500), "halyard --peek": Goal(350)},
            calls={"halyard": Goal(2.05), "halyard --peek": Goal(2.05)},
            tasks_beside_slots=1.3,
        ),
        Operation(
            "connection, accepted, echoed once and closed, 64 at a time",
            counting.Load(churn, "--total", (200, 600) if quick else (1_000, 3_000)),
            instructions={"halyard": Goal(4_500)},
            calls={"halyard": Goal(13.5)},
        ),
    ]


def count(bench: Bench, operation: Operation, variant: Variant) -> Count:
    result = Count(operation.title, variant.name)
    if counting.can_count_instructions():
        result.instructions = counting.server_instructions(bench, variant, operation.load)
    if counting.can_count_calls():
        each = counting.server_calls(bench, variant, operation.load)
        result.calls_by_name = {name: round(calls, 3) for name, calls in each.items() if abs(calls) >= 0.001}
        result.calls = sum(each.values())
    return result


def row(operation: Operation, variant: Variant, one: Count, ours: float | None) -> list[str]:
    calls = sorted((one.calls_by_name or {}).items(), key=lambda call: -call[1])
    return [
        variant.title,
        number(one.instructions, 0),
        number(one.instructions / ours if one.instructions and ours else None, 2),
        verdict(operation.instructions.get(variant.name), one.instructions),
        number(one.calls, 2),
        verdict(operation.calls.get(variant.name), one.calls),
        ", ".join(f"{name} {each:.2f}" for name, each in calls if each >= 0.005),
    ]


def measure(bench: Bench, quick: bool) -> Part:
    part = Part("counts", "Echo servers, counted", bench.absence + counting.what_cannot_be_counted())
    part.notes.append(
        "User-space instructions (callgrind) and system calls (strace) of the server for one operation, each the "
        "difference of two runs."
    )
    counts = []
    for operation in operations(quick):
        rows = []
        ours = None
        for variant in bench.variants + bench.threaded:
            say(f"counting {variant.name}: {operation.title}")
            one = count(bench, operation, variant)
            counts.append(one)
            ours = one.instructions if variant.name == OURS else ours
            if variant.server == OURS and operation.tasks_beside_slots and one.instructions:
                limit = operation.tasks_beside_slots * one.instructions
                operation.instructions[Variant(TASKS, variant.options).name] = Goal(round(limit))
            rows.append(row(operation, variant, one, ours))
        header = ["server", "instructions", "beside Halyard", "goal", "system calls", "goal", "which"]
        part.tables.append(table(f"One {operation.title}", header, rows))
    part.results["counts"] = [asdict(each) for each in counts]
    return part
