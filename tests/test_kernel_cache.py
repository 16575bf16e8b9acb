from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import chimera_platform
from chimera_platform.kernels import _imported_files

PACKAGE = Path(chimera_platform.__file__).resolve().parent
_DECORATED = re.compile(r"^@(record_)?kernel$", re.MULTILINE)
KERNEL_FILES = [p for p in sorted(PACKAGE.rglob("*.py")) if _DECORATED.search(p.read_text(encoding="utf-8"))]


def imported_by_the_parser(path: Path) -> set[Path]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("chimera_platform"):
            stem = PACKAGE.parent / str(node.module).replace(".", "/")
            found.update({stem.with_suffix(".py"), stem / "__init__.py"})
            found.update(stem / f"{alias.name}.py" for alias in node.names)
    return {p for p in found if p.is_file()}


@pytest.mark.parametrize("path", KERNEL_FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_the_cache_key_covers_every_file_that_a_kernel_file_imports(path: Path) -> None:
    # Run of lines without brackets once swallowed the imports that follow them: stale machine code ran on.
    assert imported_by_the_parser(path) <= _imported_files(path)
