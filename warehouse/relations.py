"""The SQL models: one file a relation, described by the comment at its head."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

MODELS = Path(__file__).parent / "models"
_REFERENCE = re.compile(r"\b(core|marts)\.(\w+)")


@dataclass(frozen=True)
class Relation:
    """A view, or a table that is refreshed where its sources changed.

    Parameters
    ----------
    schema, name : ``core`` or ``marts``, and the name in it.
    summary : what it holds.
    grain, key : what one row stands for; the columns that tell rows apart.
    kind : ``view`` or ``table``.
    refresh_key : tables: the column by whose range, within a run, rows are made anew.
    refresh_later : tables: whether all later values of that column are made anew too (``day.. from …``).
    refresh_from : tables: the journal tables in which that column tells which rows changed.
    sql : the SELECT.
    """

    schema: str
    name: str
    summary: str
    grain: str
    key: tuple[str, ...]
    kind: str
    notes: str
    refresh_key: str
    refresh_later: bool
    refresh_from: tuple[str, ...]
    sql: str

    @property
    def full_name(self) -> str:
        """``schema.name``."""
        return f"{self.schema}.{self.name}"

    @property
    def fingerprint(self) -> str:
        """SHA-256 of kind and text: another one means that the relation has to be made anew."""
        return hashlib.sha256(f"{self.kind}\n{self.refresh_key}\n{self.sql}".encode()).hexdigest()

    @property
    def depends_on(self) -> set[str]:
        """Full names of the models that it reads."""
        text = re.sub(r"--[^\n]*", "", self.sql)
        return {f"{schema}.{name}" for schema, name in _REFERENCE.findall(text)} - {self.full_name}


def parse(path: Path) -> Relation:
    """Return the relation of one model file; ValueError where the head is incomplete."""
    head: list[str] = []
    lines = path.read_text(encoding="utf-8").splitlines()
    while lines and lines[0].startswith("--"):
        head.append(lines.pop(0)[2:].strip())
    schema, name = path.parent.name, path.stem
    title, _, summary = head[0].partition(": ") if head else ("", "", "")
    fields: dict[str, str] = {}
    notes: list[str] = []
    for line in head[1:]:
        field, separator, value = line.partition(": ")
        if separator and not notes and field in ("grain", "key", "kind", "refresh"):
            fields[field] = value
        else:
            notes.append(line)
    complete = {"grain", "key", "kind"} <= fields.keys() and fields["kind"] in ("view", "table")
    if title != f"{schema}.{name}" or not complete or (fields["kind"] == "table") != ("refresh" in fields):
        raise ValueError(f"{path}: the head must name {schema}.{name}, grain, key, kind (and refresh for a table)")
    refresh_key, _, sources = fields.get("refresh", "").partition(" from ")
    return Relation(
        schema=schema,
        name=name,
        summary=summary,
        grain=fields["grain"],
        key=tuple(column.strip() for column in fields["key"].split(",")),
        kind=fields["kind"],
        notes=" ".join(notes),
        refresh_key=refresh_key.removesuffix(".."),
        refresh_later=refresh_key.endswith(".."),
        refresh_from=tuple(source.strip() for source in sources.split(",") if source),
        sql="\n".join(lines).strip(),
    )


@cache
def relations() -> tuple[Relation, ...]:
    """Return all models, each after those that it reads."""
    waiting = {r.full_name: r for r in map(parse, sorted(MODELS.glob("*/*.sql")))}
    ordered: dict[str, Relation] = {}
    while waiting:
        ready = [n for n, r in waiting.items() if r.depends_on <= ordered.keys()]
        if not ready:
            raise ValueError(f"models read each other in a circle, or one that does not exist: {sorted(waiting)}")
        for name in ready:
            ordered[name] = waiting.pop(name)
    return tuple(ordered.values())


def tables() -> tuple[Relation, ...]:
    """Return the models that are kept as tables, in the order of refreshing."""
    return tuple(r for r in relations() if r.kind == "table")
