"""The report of a bench for people: a few aligned lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llada_demo.bench.figures import RATIOS


def lines(report: Mapping[str, Any]) -> Iterator[str]:
    """The report as lines of text."""
    for part in ("model", "machine", "settings"):
        yield f"{part:9s}" + ", ".join(f"{name} {value}" for name, value in report[part].items() if value is not None)
    yield ""
    yield from columns(
        [{"": name, **of_name} for name, of_name in report["times"].items()], leave=("seconds_of_rounds",)
    )
    yield ""
    for pair, ratio in report["ratios"].items():
        yield f"{pair:24s} {ratio:7.2f}x  {report['cpu_ratios'][pair]:6.2f}x of CPU time  {RATIOS[pair]}"
    yield ""
    same = report["identity"]
    yield (
        f"identical to the reference: {same['tokens_identical']} of {same['prompts']} in every token, "
        f"{same['texts_identical']} of {same['prompts']} in the visible text ({same['why']})"
    )
    if price := report.get("quality"):
        yield (
            f"threshold {price['threshold']}: {price['texts_identical']} texts as the exact run's, "
            f"{price['agreement']:.1%} of the tokens agree; bound {price['bound_threshold']} nats a token, "
            f"exact {price['bound_stopped']}"
        )
    yield "peak MiB: " + ", ".join(f"{k.removesuffix('_mib')} {v}" for k, v in report["peak_memory"].items())
    if report.get("visitors"):
        yield ""
        yield from columns(report["visitors"])
    if report.get("panes"):
        yield ""
        yield from columns([{"comparison": row["dtype"], **row} for row in report["panes"]], leave=("dtype",))


def columns(rows: Sequence[Mapping[str, Any]], leave: Sequence[str] = ()) -> Iterator[str]:
    """Rows with the same keys as a table, its keys on top; names to the left, numbers to the right."""
    names = [name for name in rows[0] if name not in leave]
    cells = [
        [name.replace("_", " ") for name in names],
        *([str(row[name]) for name in names] for row in rows),
    ]
    widths = [max(len(row[i]) for row in cells) for i in range(len(names))]
    for row in cells:
        yield "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip()
