"""The part "times": how many operations of the echo servers go through in a second, and how long each takes.

The servers are timed in turns, round by round, so that whatever else the machine does meets all of them; only ratios
mean something. The server has one processor and the load another, where there are two.
"""

from __future__ import annotations

import statistics
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field

from echo_servers import FLOOR, OURS, PEERS, Bench, Variant
from report import Goal, Median, Part, busy_note, number, say, table


@dataclass(frozen=True)
class Timing:
    title: str
    load: tuple[str, ...]
    goals: dict[str, Goal] = field(default_factory=dict)  # for Halyard's ratio to each of these
    idle: int = 0  # connections that are there as well


@dataclass
class Time:
    """What one round gave."""

    load: str
    variant: str
    round: int
    per_second: float
    p50_us: float
    p99_us: float
    p999_us: float
    server_us: float  # processor time of the server for one operation
    own_us: float  # what of it was not the kernel's, in ticks: many rounds make a figure


def timings(bench: Bench, quick: bool) -> list[Timing]:
    def scaled(count: int) -> str:
        return str(count // 10 if quick else count)

    def messages(connections: int, count: int, *more: str, goals: dict[str, Goal] | None = None) -> Timing:
        title = f"64-byte messages, {connections:,} connection{'s' if connections != 1 else ''}"
        load = ("pingpong", "--connections", str(connections), "--messages", scaled(count), *more)
        return Timing(title, load, goals or {})

    near_the_floor = {FLOOR: Goal(0.95, at_least=True)}
    ahead = near_the_floor | dict.fromkeys(PEERS, Goal(1.0, at_least=True))
    deep = messages(64, 200_000, "--depth", "16")
    idle = min(bench.most_connections - 64, 1_000 if quick else 10_000)
    crowd = messages(64, 40_000)
    return [
        messages(1, 10_000, goals=ahead),
        messages(64, 40_000, goals=ahead),
        messages(1_000, 40_000, goals=ahead),
        Timing(f"{deep.title}, 16 of them under way on each", deep.load),
        Timing(f"{crowd.title}, beside {idle:,} idle ones", crowd.load, idle=idle),
        Timing(
            "pieces of 64 KiB, streamed through one connection",
            ("stream", "--bytes", scaled(400_000_000)),
            near_the_floor,
        ),
        Timing("connections opened, echoed, closed", ("churn", "--concurrency", "64", "--total", scaled(3_000))),
    ]


def time_once(bench: Bench, timing: Timing, variant: Variant, number_of_round: int) -> Time:
    with ExitStack() as ends_last, bench.serving(variant) as server:
        if timing.idle:
            ends_last.enter_context(bench.holding(server.port, timing.idle))
        before, own_before = server.seconds(), server.seconds_of_its_own()
        said = bench.drive(server.port, timing.load)
        spent, own = server.seconds() - before, server.seconds_of_its_own() - own_before
    return Time(
        timing.title,
        variant.name,
        number_of_round,
        said["per_second"],
        said["p50_us"],
        said["p99_us"],
        said["p999_us"],
        spent * 1e6 / said["messages"],
        own * 1e6 / said["messages"],
    )


def ratios(own: list[Time], other: list[Time]) -> list[float]:
    """Round by round, because what disturbs a round disturbs all of it."""
    return [each.per_second / beside.per_second for each, beside in zip(own, other)]


def row(variant: Variant, own: list[Time], ours: list[Time]) -> list[str]:
    rates = [each.per_second for each in own]
    beside = Median.of(ratios(own, ours)) if ours else None
    return [
        variant.title,
        number(statistics.median(rates), 0),
        f"{min(rates):,.0f} – {max(rates):,.0f}",
        number(beside.value, 2) if beside else "",
        beside.range() if beside else "",
        number(statistics.median(each.p50_us for each in own), 0),
        number(statistics.median(each.p99_us for each in own), 0),
        number(statistics.median(each.p999_us for each in own), 0),
        number(statistics.median(each.server_us for each in own), 1),
        number(statistics.mean(each.own_us for each in own), 2),
    ]


def goal_notes(timing: Timing, variants: list[Variant], taken: dict[str, list[Time]]) -> list[str]:
    said = []
    for peer in variants:
        goal = timing.goals.get(peer.name)
        if goal and OURS in taken:
            beside = Median.of(ratios(taken[OURS], taken[peer.name]))
            said.append(f"{beside.value:.2f} ({beside.range()}) of {peer.title}'s, {beside.verdict(goal)}")
    return [f"Halyard's rate is {'; '.join(said)}."] if said else []


def measure(bench: Bench, quick: bool, rounds: int) -> Part:
    part = Part("times", f"Echo servers, timed, medians of {rounds} rounds", bench.absence + busy_note())
    part.notes.append(
        "Each round runs all servers, one after the other. Only ratios mean something; between which bounds the median of "
        "each lies, 95 times of 100, stands behind it. The last columns are processor time of the server for one "
        "operation; what of it is spent outside the kernel is a mean, because the kernel counts that in ticks."
    )
    times = []
    for timing in timings(bench, quick):
        say(f"timing {timing.title}: {rounds} rounds of {', '.join(each.name for each in bench.variants)}")
        taken: dict[str, list[Time]] = {variant.name: [] for variant in bench.variants}
        for number_of_round in range(rounds):
            first = number_of_round % len(bench.variants)
            for variant in bench.variants[first:] + bench.variants[:first]:
                taken[variant.name].append(time_once(bench, timing, variant, number_of_round))
        times += [each for own in taken.values() for each in own]
        header = ["server", "per second", "least – most", "beside Halyard", "between", "p50 µs", "p99 µs", "p99.9 µs"]
        header += ["server's µs each", "outside the kernel"]
        rows = [row(variant, taken[variant.name], taken.get(OURS, [])) for variant in bench.variants]
        title = timing.title[0].upper() + timing.title[1:]
        part.tables.append(table(title, header, rows, *goal_notes(timing, bench.variants, taken)))
    part.results["times"] = [asdict(each) for each in times]
    return part
