"""The part "scale": what a message costs beside many idle connections, what a deadline costs among many, and how far a
second loop carries."""

from __future__ import annotations

import os
import statistics
from contextlib import ExitStack

import counting
from echo_servers import LOOKS_AT_ALL, LOOPS, MANY, OURS, POOL, Bench, Variant
from report import Goal, Part, number, say, table, verdict

FEW = 100  # idle connections that the others are compared with
POLLED = 1_000  # for servers that look at all of them in every turn: with more a run would take an hour
CROWD_GOAL = Goal(1.10)
LOOPS_GOAL = Goal(1.8, at_least=True)
DEADLINES = (1_000, 1_000_000)
ACTIVE = 64  # connections with messages, for each loop


def messages_of(connections: int, quick: bool) -> counting.Load:
    pingpong = ("pingpong", "--connections", str(connections))
    return counting.Load(pingpong, "--messages", (4_000, 12_000) if quick else (20_000, 60_000))


def crowd_table(bench: Bench, part: Part, quick: bool) -> str:
    most = 1_000 if quick else bench.most_connections - ACTIVE
    if most < MANY - ACTIVE:
        part.notes.append(
            f"Here a process gets no descriptors for more than {most:,} idle connections; {MANY:,} are meant."
        )
    rows = []
    results: dict[str, dict[int, float]] = {}
    for variant in bench.variants:
        results[variant.name] = each = {}
        crowd = min(most, POLLED) if variant.server in LOOKS_AT_ALL else most
        for size in (FEW, crowd):
            say(f"counting {variant.name} beside {size:,} idle connections")
            each[size] = counting.server_instructions(bench, variant, messages_of(ACTIVE, quick), size)
        ratio = each[crowd] / each[FEW]
        goal = CROWD_GOAL if variant.server == OURS else None
        title = variant.title if crowd == most else f"{variant.title}, beside {crowd:,}"
        rows.append([title, number(each[FEW], 0), number(each[crowd], 0), number(ratio, 2), verdict(goal, ratio)])
    part.results["idle_connections"] = results
    header = ["server", f"{FEW:,} idle", f"{most:,} idle", "ratio", "goal"]
    return table(f"Instructions for a 64-byte message over {ACTIVE} connections, beside idle ones", header, rows)


def deadline_table(bench: Bench, part: Part, quick: bool) -> str:
    pieces = str(bench.directory / "bench_pieces")

    def with_timeouts(armed: int) -> float:
        variant = Variant(OURS, ("--timeouts", str(armed)))
        return counting.server_instructions(bench, variant, messages_of(ACTIVE, quick))

    def restarted(piece: str, armed: int) -> float | None:
        # Each in its turn, all of them at least once, and many times as many as what differs from run to run.
        return counting.program_instructions(
            bench.scratch, lambda times: [pieces, piece, str(times), str(armed)], (armed, armed * 2 + 100_000)
        )

    armed = (DEADLINES[0], 10_000) if quick else DEADLINES
    measured = {
        "a message, which puts off its socket's read timeout": with_timeouts,
        "`Deadline::arm()`, for later than before": lambda count: restarted("deadlines", count),
        "`Timer::start()`, of one that is active": lambda count: restarted("timers", count),
    }
    rows = []
    results: dict[str, dict[int, float | None]] = {}
    for title, measure_one in measured.items():
        say(f"counting {title}, beside {armed[0]:,} and {armed[1]:,} armed deadlines")
        results[title] = each = {count: measure_one(count) for count in armed}
        few, many = each[armed[0]], each[armed[1]]
        rows.append([title, number(few, 0), number(many, 0), number(many / few if few and many else None, 2)])
    part.results["deadlines"] = results
    header = ["", *(f"{count:,} armed" for count in armed), "ratio"]
    return table("Instructions to put off a deadline, among so many", header, rows)


def loops_table(bench: Bench, part: Part, quick: bool) -> str:
    one = next(each for each in bench.variants if each.name == OURS)
    alone = 0.0
    rows = []
    results = {}
    for variant in (one, LOOPS, POOL):
        loops = 1 if variant is one else 2
        say(f"counting {variant.name}, {ACTIVE} connections for each loop")
        each = counting.server_instructions(bench, variant, messages_of(ACTIVE * loops, quick))
        alone = each if variant is one else alone
        carries = None if variant is one else 2 * alone / each
        results[variant.name] = each
        goal = LOOPS_GOAL if carries else None
        rows.append([variant.title, number(each, 0), number(carries, 2), verdict(goal, carries)])
    part.results["loops"] = results
    header = ["server", "instructions", "two processors carry", "goal"]
    title = f"Instructions for a 64-byte message, {ACTIVE} connections for each loop"
    return table(title, header, rows, "The third column is twice the instructions on one loop, divided by those on two.")


def timed_loops_table(bench: Bench, part: Part, quick: bool, rounds: int) -> str | None:
    """Two loops on two processors against one on one, where the load has two more for itself."""
    processors = sorted(os.sched_getaffinity(0))
    if len(processors) < 4:
        part.notes.append(
            f"Two loops are counted and not timed: that takes four processors, two of them for the load, and here are "
            f"{len(processors)}."
        )
        return None
    load = messages_of(ACTIVE, quick).of(10_000 if quick else 100_000)

    def rate(variant: Variant, server_processors: set[int]) -> float:
        with ExitStack() as stack:
            server = stack.enter_context(bench.serving(variant, processors=server_processors))
            loads = [stack.enter_context(bench.loading(server.port, load, each)) for each in processors[-2:]]
            said = [bench.said_by(each) for each in loads]
        return sum(each["messages"] for each in said) / max(each["seconds"] for each in said)

    one = next(each for each in bench.variants if each.name == OURS)
    ratios: dict[str, list[float]] = {LOOPS.title: [], POOL.title: []}
    for number_of_round in range(rounds):
        say(f"timing two loops, round {number_of_round + 1} of {rounds}")
        alone = rate(one, {processors[0]})
        for variant in (LOOPS, POOL):
            ratios[variant.title].append(rate(variant, set(processors[:2])) / alone)
    part.results["timed_loops"] = ratios
    rows = []
    for title, each in ratios.items():
        median = statistics.median(each)
        rows.append([title, number(median, 2), f"{min(each):.2f} – {max(each):.2f}", verdict(LOOPS_GOAL, median)])
    return table("Messages in a second, beside one loop", ["server", "ratio", "spread", "goal"], rows)


def measure(bench: Bench, quick: bool, rounds: int) -> Part:
    part = Part("scale", "How it grows", bench.absence + counting.what_cannot_be_counted())
    tables: list[str | None] = []
    if counting.can_count_instructions():
        tables.append(crowd_table(bench, part, quick))
    if any(each.name == OURS for each in bench.variants):
        if counting.can_count_instructions():
            tables += [deadline_table(bench, part, quick), loops_table(bench, part, quick)]
        tables.append(timed_loops_table(bench, part, quick, rounds))
    part.tables = [each for each in tables if each is not None]
    return part
