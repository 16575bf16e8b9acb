"""The options of the contract that every command accepts, also those that have no use for one of them.

A script may so pass the same ``--workdir``, ``--config`` and ``--seed`` to all of its commands.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

_COMMON: dict[str, Any] = {
    "workdir": Annotated[Path | None, typer.Option("--workdir", hidden=True)],
    "config": Annotated[Path | None, typer.Option("--config", hidden=True)],
    "seed": Annotated[int | None, typer.Option("--seed", hidden=True)],
}


def accept_common_options(command: Callable[..., None]) -> Callable[..., None]:
    """Return ``command`` with the common options that it does not have itself: accepted, hidden, without effect."""
    signature = inspect.signature(command, eval_str=True)
    missing = [name for name in _COMMON if name not in signature.parameters]

    @functools.wraps(command)
    def accepting(*arguments: Any, **options: Any) -> None:
        for name in missing:
            options.pop(name, None)
        command(*arguments, **options)

    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_COMMON[name])
        for name in missing
    ]
    parameters = [*signature.parameters.values(), *added]
    accepting.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    accepting.__annotations__ = {each.name: each.annotation for each in parameters}
    del accepting.__wrapped__
    return accepting
