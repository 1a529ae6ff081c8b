"""The page of the Python library. Signatures and docstrings are read from the source; nothing is imported."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from docs.site.docstrings import markdown

ROOT = Path(__file__).parents[2]
SHOWN = {
    "stvg_core.pipeline": ("Grounder",),
    "stvg_core.settings": ("SeenSettings", "GroundingSettings", "preset"),
    "stvg_core.presets": (),
    "stvg_core.tube": ("Tube", "Track", "VideoInfo", "Grounding"),
    "stvg_core.errors": ("StvgError", "VideoError", "QueryError", "ModelError", "NonFiniteError"),
    "stvg_core.metrics": ("tiou", "viou", "gt_viou"),
    "stvg_core.keyframes": (),
    "stvg_core.video.reader": ("VideoReader",),
    "stvg_core.video.probe": ("probe",),
    "stvg_core.proposals.base": ("Proposer", "FixedTracks"),
    "stvg_core.proposals.proposer_choice": ("proposer_for",),
    "stvg_core.proposals.following": ("DrawnBox",),
    "stvg_core.decomposition.base": ("Decomposer",),
    "stvg_core.decomposition.decomposer_choice": ("decomposer_for",),
    "stvg_core.mllm.loading": ("load", "LoadedModel"),
    "stvg_core.mllm.families": ("Family",),
}
"""The library's front: modules, and which of their names are shown. An empty tuple shows all public ones."""

HEAD = """# Python

What a program calls. Import it from the module under whose heading it stands:
`from stvg_core.pipeline import Grounder`. Everything inside follows these rules:

- Frames are counted from 0; intervals include both ends.
- Boxes are `x1, y1, x2, y2` as shares of the picture, in [0, 1].
- Seconds count from the first picture.

Every error that a caller can mend derives from `StvgError`. Names with a leading underscore, and modules that are not
listed here, may change without notice.
"""

Definition = ast.ClassDef | ast.FunctionDef


def page() -> str:
    """The page as Markdown."""
    lines = [HEAD]
    for module, names in SHOWN.items():
        tree = ast.parse(source(module).read_text(encoding="utf-8"))
        lines += [f"## {module}", "", markdown(ast.get_docstring(tree)), ""]
        for found in shown(tree, names):
            lines += [*_about(found, found.name, 3), ""]
    return "\n".join(lines)


def source(module: str) -> Path:
    """The file of a module."""
    path = ROOT / module.replace(".", "/")
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def shown(tree: ast.Module, names: tuple[str, ...]) -> list[Definition]:
    """Definitions by name, in the order of the names. Raises KeyError for one that is not there."""
    found = {each.name: each for each in tree.body if isinstance(each, Definition)}
    wanted = names or tuple(name for name in found if not name.startswith("_"))
    return [found[name] for name in wanted]


def _about(found: Definition, name: str, level: int) -> Iterator[str]:
    yield from (f"{'#' * level} {name}", "", "```python", *_signature(found), "```", "")
    yield from (markdown(ast.get_docstring(found)), "")
    if isinstance(found, ast.ClassDef):
        for inner in found.body:
            if isinstance(inner, ast.FunctionDef) and not inner.name.startswith("_") and ast.get_docstring(inner):
                yield from _about(inner, f"{name}.{inner.name}", level + 1)


def _signature(found: Definition) -> Iterator[str]:
    for mark in found.decorator_list:
        text = ast.unparse(mark)
        if text in {"classmethod", "staticmethod", "property"}:
            yield f"@{text}"
    if isinstance(found, ast.FunctionDef):
        yield _broken(f"def {found.name}", found.args, found.returns)
        return
    bases = ", ".join(ast.unparse(base) for base in found.bases)
    yield f"class {found.name}({bases})" if bases else f"class {found.name}"
    for inner in found.body:
        if isinstance(inner, ast.AnnAssign) and not ast.unparse(inner.target).startswith("_"):
            value = inner.value
            plain = None if isinstance(value, ast.Call) else value
            yield f"    {ast.unparse(inner.target)}: {ast.unparse(inner.annotation)}" + (
                f" = {ast.unparse(plain)}" if plain is not None else ""
            )
        elif isinstance(inner, ast.FunctionDef) and inner.name == "__init__":
            yield _broken("    def __init__", inner.args, None)


def _broken(head: str, arguments: ast.arguments, returns: ast.expr | None) -> str:
    """A signature on one line, or with one argument on each where that is too long."""
    tail = f" -> {ast.unparse(returns)}" if returns is not None else ""
    line = f"{head}({ast.unparse(arguments)}){tail}"
    if len(line) <= 88:
        return line
    indent = " " * (len(head) - len(head.lstrip()))
    parts = "".join(f"{indent}    {each},\n" for each in _each(arguments))
    return f"{head}(\n{parts}{indent}){tail}"


def _each(arguments: ast.arguments) -> Iterator[str]:
    """The arguments one by one, as they are written."""
    positional = [*arguments.posonlyargs, *arguments.args]
    without = len(positional) - len(arguments.defaults)
    for at, each in enumerate(positional):
        yield _argument(each, arguments.defaults[at - without] if at >= without else None)
    if arguments.vararg is not None:
        yield f"*{_argument(arguments.vararg, None)}"
    elif arguments.kwonlyargs:
        yield "*"
    for each, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield _argument(each, default)
    if arguments.kwarg is not None:
        yield f"**{_argument(arguments.kwarg, None)}"


def _argument(each: ast.arg, default: ast.expr | None) -> str:
    typed = f"{each.arg}: {ast.unparse(each.annotation)}" if each.annotation is not None else each.arg
    if default is None:
        return typed
    return f"{typed} = {ast.unparse(default)}" if each.annotation is not None else f"{typed}={ast.unparse(default)}"
