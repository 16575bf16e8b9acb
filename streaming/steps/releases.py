"""How a step gets the release that a batch names."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace

from chimera_platform.releases import Release, ReleaseStore

ReleaseLoader = Callable[[str], Release | None]


def release_loader(store: ReleaseStore, use_model: bool) -> ReleaseLoader:
    """Return a loader from release id to verified release; the empty id is the built-in defaults, None.

    With ``use_model`` False the release's model is left out; its parameters and weights still count.
    """

    @functools.lru_cache(maxsize=8)
    def load(release_id: str) -> Release | None:
        if not release_id:
            return None
        release = store.load(release_id)
        return release if use_model else replace(release, trees=None)

    return load
