"""The figures as rows for Markdown tables."""

from __future__ import annotations

from typing import Any

from benchmarks.report import between, row


def rows(found: dict[str, Any]) -> list[str]:
    """One block after the other, in the order in which they were measured."""
    made: list[str] = []
    for what, kinds in found.items():
        for kind, figures in kinds.items():
            made += {"overhead": _overhead, "workers": _workers, "sentences": _sentences, "memory": _memory}[what](
                kind, figures
            )
    return made


def _overhead(kind: str, figures: dict[str, Any]) -> list[str]:
    ours = f"{figures['run_cpu_s']['median']:.2f} s ({figures['of_it_in_the_child_s']['median']:.2f} s in the child)"
    whole, bare = figures["model_cpu_s"]["median"], figures["model_without_decoding_cpu_s"]["median"]
    statements, start = figures["statements_per_sentence"]["median"], figures["start_up_cpu_s"]
    clock = between(figures["run_over_model_clock"])
    return [
        row("the model's own", kind, ours, f"{whole:.2f} s", between(figures["run_over_model_cpu"]), clock,
            statements, f"{start:.1f} s"),
        row("without decoding", kind, "", f"{bare:.2f} s", between(figures["without_any_decoding_cpu"]), "", "", ""),
    ]  # fmt: skip


def _workers(kind: str, figures: dict[str, Any]) -> list[str]:
    return [
        row(number, kind, f"{taken['median']:.1f} s", between(figures["times_as_fast"][number]),
            between(figures["of_the_slept_time"][number]))
        for number, taken in figures["seconds"].items()
    ]  # fmt: skip


def _sentences(kind: str, figures: dict[str, Any]) -> list[str]:
    return [
        row(f"{figures['sentences']} sentences, {name}", f"{taken['median']:.2f} s", between(ratio))
        for (name, taken), ratio in zip(figures["cpu_s"].items(), figures["over_together"].values(), strict=True)
    ]


def _memory(kind: str, figures: dict[str, Any]) -> list[str]:
    return [
        row(f"{length:g} min", one["frames"], f"{one['file_mib']:.0f} MiB", f"{one['worker_mib']} MiB",
            f"{one['child_mib']} MiB", f"{one['cpu_s']:.1f} s")
        for length, one in figures["by_minutes"].items()
    ]  # fmt: skip
