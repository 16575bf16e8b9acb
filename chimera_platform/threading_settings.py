"""Which processor cores the flow's threads run on."""

from __future__ import annotations

from pydantic import Field

from chimera_platform.settings import Settings

CORE_MAX = 4_095


class ThreadingSettings(Settings):
    """A core for each of the flow's steps; a step without one runs wherever the system puts it.

    The flow has no thread for each engine. Its worker threads share the instruments among them, and on a worker all
    engines of an instrument run together; one of the workers runs the coordinator too, which sends orders itself. So a
    core is for what runs there: a worker may use the cores of all steps that it runs, and only those, once one of them
    is set. Threads that such a thread starts begin on its cores.
    """

    hft_thread_core: int | None = Field(
        None, ge=0, le=CORE_MAX, description="core of the workers that run engines; none: any"
    )
    structure_thread_core: int | None = Field(
        None, ge=0, le=CORE_MAX, description="further core of the workers that run engines; none: any"
    )
    coordinator_thread_core: int | None = Field(
        None, ge=0, le=CORE_MAX, description="core of the worker that runs the coordinator; none: any"
    )
    execution_thread_core: int | None = Field(
        None, ge=0, le=CORE_MAX, description="further core of the worker that runs the coordinator; none: any"
    )

    @property
    def engine_cores(self) -> frozenset[int]:
        """Cores of the engines' step; empty: any."""
        return _cores(self.hft_thread_core, self.structure_thread_core)

    @property
    def coordinator_cores(self) -> frozenset[int]:
        """Cores of the coordinator's step; empty: any."""
        return _cores(self.coordinator_thread_core, self.execution_thread_core)


def _cores(*numbers: int | None) -> frozenset[int]:
    return frozenset(number for number in numbers if number is not None)
