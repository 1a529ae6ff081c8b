"""What is said of mutants, without making any."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from tests.mutants.chosen import MODULES, TESTS
from tests.mutants.report import Mutant, Reason, Verdict, function_of, read, reasons, table, verdict
from tests.mutants.workshop import ROOT, meta

MAPS = "stvg_core/method/maps.py"


@pytest.mark.parametrize(
    ("code", "expected"),
    [(None, "not run"), (0, "survived"), (33, "survived"), (5, "survived"), (1, "killed"), (3, "killed"),
     (36, "killed"), (-24, "killed"), (-9, "unsure"), (-11, "unsure"), (2, "unsure"), (35, "unsure")],
)  # fmt: skip
def test_only_a_failed_test_or_an_endless_one_kills(code: int | None, expected: Verdict) -> None:
    assert verdict(code) == expected


def test_functions_and_methods_have_their_own_names() -> None:
    assert function_of("stvg_core.method.maps.x_pick_map__mutmut_3") == "pick_map"
    assert function_of("stvg_core.method.maps.x__picked__mutmut_12") == "_picked"
    assert function_of("stvg_core.method.evidence.xǁRowsǁ__post_init____mutmut_1") == "Rows.__post_init__"


def test_a_reason_holds_for_its_line_or_for_its_function() -> None:
    mutant = Mutant(MAPS, "stvg_core.method.maps.x_maps__mutmut_1", 0)
    change = "-    a = 1\n+    a = 2"
    assert Reason(MAPS, "maps", "why", was="a = 1", now="a = 2").covers(mutant, change)
    assert Reason(MAPS, "maps", "why").covers(mutant, change)
    assert not Reason(MAPS, "maps", "why", now="a = 3").covers(mutant, change)
    assert not Reason(MAPS, "maps", "why", was="a = 3").covers(mutant, change)
    assert not Reason(MAPS, "other", "why").covers(mutant, change)
    assert not Reason("stvg_core/method/lra.py", "maps", "why").covers(mutant, change)


def test_results_are_read_from_where_mutmut_leaves_them(tmp_path: Path) -> None:
    file = meta(MAPS, tmp_path)
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"exit_code_by_key": {"one": 1, "other": None}}))
    found = read([MAPS, "stvg_core/query.py"], tmp_path)
    assert found == [Mutant(MAPS, "one", 1), Mutant(MAPS, "other", None)]


def test_the_table_counts_what_was_run() -> None:
    mutants = [Mutant(MAPS, str(n), code) for n, code in enumerate((1, 1, 0, 0, None))]
    last = table(mutants, mutants[2:3]).splitlines()[-1]
    assert last == "| all | 5 | 4 | 2 | 1 | 1 | 50.0% |"


def test_the_files_are_there() -> None:
    assert all((ROOT / file).is_file() for file in (*MODULES, *TESTS))


@pytest.mark.parametrize("reason", reasons(), ids=lambda reason: f"{reason.function}: {reason.why[:30]}")
def test_a_reason_is_about_code_that_is_there(reason: Reason) -> None:
    assert reason.module in MODULES and reason.why
    source = (ROOT / reason.module).read_text(encoding="utf-8")
    functions = {node.name for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)}
    assert reason.function.rpartition(".")[2] in functions
    assert reason.was in [line.strip() for line in source.splitlines()] or not reason.was
