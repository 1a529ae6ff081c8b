"""Under which licence is the package, and does a build say so?"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from email.parser import Parser
from pathlib import Path

ROOT = Path(__file__).parents[2]
APACHE_2 = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"
"""SHA-256 of the text as the Apache Software Foundation publishes it."""


def test_the_licence_is_the_whole_standard_text() -> None:
    assert hashlib.sha256((ROOT / "LICENSE").read_bytes()).hexdigest() == APACHE_2


def test_the_built_package_names_its_licence_and_brings_the_text(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "stvg_core").mkdir(parents=True)
    (source / "stvg_core" / "__init__.py").touch()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    build = "import sys, setuptools.build_meta as b; print(b.prepare_metadata_for_build_wheel(sys.argv[1]))"
    done = subprocess.run([sys.executable, "-c", build, tmp_path], cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    info = tmp_path / done.stdout.splitlines()[-1]
    metadata = Parser().parsestr((info / "METADATA").read_text())
    assert metadata["License-Expression"] == "Apache-2.0" and metadata["License-File"] == "LICENSE"
    assert (info / "licenses" / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_the_image_names_the_same_licence_and_has_the_text() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert 'org.opencontainers.image.licenses="Apache-2.0"' in dockerfile
    assert "COPY pyproject.toml README.md LICENSE ./" in dockerfile


def test_the_readme_names_it() -> None:
    assert "[Apache-2.0](LICENSE)" in (ROOT / "README.md").read_text()
