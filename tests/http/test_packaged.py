"""Do the pages come along when the package is installed?"""

from __future__ import annotations

import tomllib
from fnmatch import fnmatch
from pathlib import Path

from setuptools import find_namespace_packages

ROOT = Path(__file__).parents[2]


def test_every_template_and_every_static_file_is_in_the_package() -> None:
    content = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    packages = find_namespace_packages(str(ROOT), include=content["packages"]["find"]["include"])
    assert {"backend.http.templates", "backend.http.static"} <= set(packages)
    files = [path for folder in ("templates", "static") for path in (ROOT / "backend/http" / folder).rglob("*")]
    files = [path for path in files if path.is_file()]
    assert len(files) > 5
    patterns = content["package-data"]["*"]
    assert not [path for path in files if not any(fnmatch(path.name, pattern) for pattern in patterns)]
    assert not [path for path in files if ".".join(path.parent.relative_to(ROOT).parts) not in packages]
