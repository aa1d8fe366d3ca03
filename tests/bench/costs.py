"""Guards what operations of Halyard cost, in instructions and system calls, against what was recorded.

Nothing here is timed. Every turn of the loop finds the same to do, however busy the machine is: messages come one at a
time, and whatever is about connecting has its client on the server's own thread.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import counting
from echo_servers import OURS, TASKS, Bench, Variant
from report import Failure, say, versions

RECORD = Path(__file__).parent / "costs.json"
TOLERANCE = 0.10
WHOLE_CALL = 0.5  # one system call more is too many, even where it is less than that

CALLS = "system calls"
Counts = Callable[[], "float | None"]


@dataclass(frozen=True)
class Cost:
    name: str
    instructions: Counts
    calls: Counts | None = None


def costs_of(build_dir: Path, scratch: Path) -> list[Cost]:
    bench = Bench(build_dir, [OURS, TASKS], scratch)
    messages = counting.Load(("pingpong",), "--messages", (100, 600))

    def echo(name: str, server: str, *options: str) -> Cost:
        variant = Variant(server, options)
        return Cost(
            name,
            lambda: counting.server_instructions(bench, variant, messages),
            lambda: sum(counting.server_calls(bench, variant, messages).values()),
        )

    def signal(name: str, case: str) -> Cost:
        program = str(bench.directory / "signals" / "bench_signals_halyard")
        return Cost(
            name, lambda: counting.program_instructions(scratch, lambda n: [program, case, str(n)], (1_000, 11_000))
        )

    def piece(name: str, which: str) -> Cost:
        def command(times: int) -> list[str]:
            return [str(bench.directory / "bench_pieces"), which, str(times)]

        lengths = (50, 250)
        return Cost(
            name,
            lambda: counting.program_instructions(scratch, command, lengths),
            lambda: sum(counting.program_calls(scratch, command, lengths).values()),
        )

    return [
        echo("message, write(readAll())", OURS),
        echo("message, peek() and skip()", OURS, "--peek"),
        echo("message, task that awaits readSome()", TASKS),
        echo("message, task that awaits readable()", TASKS, "--peek"),
        piece("connection, accepted, echoed once, closed; with its plain client", "connection"),
        piece("waitForNewConnection() that finds a client, who is let go; with its plain client", "wait"),
        signal("emission, 1 slot", "emit1"),
        signal("connect and disconnect", "reconnect"),
        signal("queued signal, same thread", "queued_here"),
        signal("posted function, same thread", "posted_here"),
    ]


def measure(build_dir: Path, scratch: Path) -> dict[str, dict[str, float]]:
    if not counting.can_count_instructions():
        raise Failure("without valgrind nothing can be counted")
    figures = {}
    for cost in costs_of(build_dir, scratch):
        say(f"counting: {cost.name}")
        figures[cost.name] = {"instructions": round(cost.instructions() or 0, 1)}
        if cost.calls is not None and counting.can_count_calls():
            figures[cost.name][CALLS] = round(cost.calls(), 2)
    return figures


def costs_by(build_dir: Path) -> str:
    """The compiler and the libuv of this build: those of the peers do not matter."""
    return ", ".join(versions(build_dir).split(", ")[:2])


def record(build_dir: Path, scratch: Path) -> None:
    if not counting.can_count_calls():
        raise Failure("without strace half of it would be recorded")
    content = {"by": costs_by(build_dir), "costs": measure(build_dir, scratch)}
    RECORD.write_text(json.dumps(content, indent=2) + "\n")
    print(RECORD.read_text(), end="")


def check(build_dir: Path, scratch: Path) -> bool:
    """Whether no figure has grown beyond the tolerance; says of each what it is now."""
    recorded = json.loads(RECORD.read_text())
    here = costs_by(build_dir)
    if recorded["by"] != here:
        print(f"recorded with {recorded['by']}; compared with {here}")
    for note in counting.what_cannot_be_counted():
        print(note)
    kept = True
    measured = measure(build_dir, scratch)
    if measured.keys() != recorded["costs"].keys():
        print("What is measured is not what was recorded: record it.")
        return False
    for name, figures in measured.items():
        for unit, now in figures.items():
            before = recorded["costs"][name][unit]
            line = f"{name}: {now:,g} {unit}, recorded {before:,g} ({now / before - 1:+.1%})"
            slack = min(before * TOLERANCE, WHOLE_CALL) if unit == CALLS else before * TOLERANCE
            if now > before + slack:
                kept = False
                line += "  <-- too much dearer"
            elif now < before - slack:
                line += "  <-- cheaper: record it, so that it stays so"
            print(line)
    if not kept:
        print("Where that is meant, 'tests/bench/run BUILD_DIR --record' records it, in a commit that says why.")
    return kept
