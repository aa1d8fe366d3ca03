"""The part "memory": how much a server grows by a connection that has echoed once and is idle since."""

from __future__ import annotations

from echo_servers import LOOKS_AT_ALL, MANY, OURS, Bench, Variant
from report import Goal, Part, number, say, table, verdict

GOAL = Goal(600)  # bytes of an idle connection of Halyard


def grown(bench: Bench, variant: Variant, connections: int) -> float:
    """Resident bytes for one of so many connections."""
    with bench.serving(variant) as server:
        bench.drive(server.port, ("pingpong", "--connections", "16", "--messages", "16"))  # what the first ones need
        before = server.resident_bytes()
        with bench.holding(server.port, connections):
            return (server.resident_bytes() - before) / connections


def measure(bench: Bench, quick: bool) -> Part:
    part = Part("memory", "Memory of idle connections", list(bench.absence))
    part.notes.append(
        "Resident bytes by which the server grows for each connection, after one 64-byte message was echoed on it. What the "
        "kernel holds for it is not in it."
    )
    wanted = [1_000, 10_000] if quick else [1_000, 10_000, MANY]
    sizes = [size for size in wanted if size <= bench.most_connections]
    if sizes != wanted:
        part.notes.append(
            f"Here a process gets no descriptors for more than {bench.most_connections:,} connections; {MANY:,} are meant."
        )
        sizes.append(bench.most_connections)
    rows = []
    results: dict[str, dict[int, float | None]] = {}
    for variant in bench.variants:
        say(f"memory of {variant.name}: {', '.join(f'{size:,}' for size in sizes)} idle connections")
        polls = variant.server in LOOKS_AT_ALL  # which would take hours for so many
        each = {size: None if polls and size == MANY else grown(bench, variant, size) for size in sizes}
        results[variant.name] = each
        goal = GOAL if variant.server == OURS else None
        rows.append([variant.title, *(number(each[size], 0) for size in sizes), verdict(goal, each[sizes[-1]])])
    header = ["server", *(f"{size:,} connections" for size in sizes), "goal"]
    part.tables.append(table("Bytes for an idle connection", header, rows))
    part.results["memory"] = results
    return part
