"""Attention beside its rivals on this machine: `python -m experiments.bench.attention`.

Every rival has a process of its own and runs a plain call with the default settings
of its library. Processes take turns, the order alternates, and a row reports medians;
outputs (and gradients) are compared with ours before anything is timed.
"""

import argparse
import json
import multiprocessing
import statistics
import sys
import time
from typing import Any

import numpy as np

from experiments.bench.rivals import RIVALS, Case

AGREE = 2e-4  # largest difference of outputs and gradients, of numbers of order 1
REST = 0.25  # seconds for a rival's spinning threads to sleep before the next turn
SHAPES = [(4, 8, 256), (4, 8, 512), (1, 8, 2048), (1, 4, 4096)]
SMALL = [(12, 4, 64), (8, 8, 128)]


def table() -> list[tuple[Case, str, float, float]]:
    """Rows: case, rival, goal, stretch (both the rival's time over ours)."""
    rows = []
    for shape in SHAPES:
        causal = Case("causal", *shape)
        both = Case("causal", *shape, backward=True)
        if shape[-1] >= 512:
            rows += [(causal, "jax.nn", 3.0, 4.0), (both, "jax.nn", 2.5, 4.0)]
            rows += [(Case("full", *shape), "jax.nn", 1.5, 2.0)]
        rows += [(causal, "torch", 0.85, 1.0), (both, "torch", 0.95, 1.25)]
    long, middle = SHAPES[-1], SHAPES[-2]
    rows += [(Case("window", *long, backward=True), "torch", 4.0, 8.0)]
    rows += [(Case("documents", *long, backward=True), "torch", 3.0, 6.0)]
    for backward in (False, True):
        case = Case("alibi_softcap", *middle, backward=backward)
        rows += [(case, "plain jnp", 2.5, 4.0)]
        rows += [
            (Case("causal", *shape, backward=backward), "jax.nn", 1.0, 1.3)
            for shape in SMALL
        ]
    return rows


def serve(rival: str, case: Case, pipe: Any) -> None:
    """A process: computes once, then times bursts on request."""
    step = RIVALS[rival](case)
    pipe.send([np.asarray(x) for x in step()])
    while (seconds := pipe.recv()) is not None:
        samples, deadline = [], time.perf_counter() + seconds
        step()
        while time.perf_counter() < deadline or len(samples) < 3:
            start = time.perf_counter()
            step()
            samples.append(time.perf_counter() - start)
        pipe.send(statistics.median(samples))


def race(case: Case, rivals: list[str], rounds: int, burst: float) -> dict[str, Any]:
    """Medians over rounds of each rival's median, in seconds, and the worst error."""
    context = multiprocessing.get_context("spawn")
    pipes, workers, outputs = {}, [], {}
    for rival in rivals:
        pipes[rival], end = context.Pipe()
        workers.append(context.Process(target=serve, args=(rival, case, end)))
        workers[-1].start()
        outputs[rival] = pipes[rival].recv()
    errors = [
        max(float(np.abs(a - b).max()) for a, b in zip(outputs["ours"], x, strict=True))
        for x in outputs.values()
    ]
    samples: dict[str, list[float]] = {rival: [] for rival in rivals}
    for turn in range(rounds):
        for rival in rivals if turn % 2 == 0 else rivals[::-1]:
            time.sleep(REST)
            pipes[rival].send(burst)
            samples[rival].append(pipes[rival].recv())
    for pipe, worker in zip(pipes.values(), workers, strict=True):
        pipe.send(None)
        worker.join()
    times = {rival: statistics.median(x) for rival, x in samples.items()}
    return {"seconds": times, "error": max(errors), "samples": samples}


def run(rows: list, rounds: int, burst: float) -> list[dict[str, Any]]:
    """The measured rows; cases that share a shape share their processes."""
    cases = list(dict.fromkeys(row[0] for row in rows))
    results = []
    for case in cases:
        mine = [row for row in rows if row[0] == case]
        measured = race(
            case, ["ours", *dict.fromkeys(r[1] for r in mine)], rounds, burst
        )
        for _, rival, goal, stretch in mine:
            ratio = measured["seconds"][rival] / measured["seconds"]["ours"]
            results.append(
                {
                    "case": case.label,
                    "rival": rival,
                    "ours_ms": measured["seconds"]["ours"] * 1e3,
                    "rival_ms": measured["seconds"][rival] * 1e3,
                    "ratio": ratio,
                    "goal": goal,
                    "stretch": stretch,
                    "agrees": measured["error"] < AGREE,
                    "error": measured["error"],
                }
            )
            print(line(results[-1]), flush=True)
    return results


def line(row: dict[str, Any]) -> str:
    """One row of the table."""
    verdict = "missed" if row["ratio"] < row["goal"] else "met"
    verdict = "stretch" if row["ratio"] >= row["stretch"] else verdict
    verdict = verdict if row["agrees"] else f"DIFFERS by {row['error']:.1e}"
    return (
        f"{row['case']:38} {row['ours_ms']:8.2f} ms  {row['rival']:9} "
        f"{row['rival_ms']:8.2f} ms  {row['ratio']:5.2f} x  goal {row['goal']:4.2f}  "
        f"{verdict}"
    )


def main(arguments: list[str] | None = None) -> int:
    """Prints the table; exit code 1 if a result differs from ours."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", help="also write the rows to this file")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--burst", type=float, default=0.4, help="seconds a turn")
    parser.add_argument("--only", default="", help="rows whose text contains this")
    options = parser.parse_args(arguments)
    rows = [row for row in table() if options.only in f"{row[0].label} {row[1]}"]
    results = run(rows, options.rounds, options.burst)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)
    return 0 if all(row["agrees"] for row in results) else 1


if __name__ == "__main__":
    sys.exit(main())
