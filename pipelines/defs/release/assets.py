"""The release candidate, and its promotion."""

import dagster as dg

from pipelines.defs.policies import LEARNING_POOL
from pipelines.defs.resources import WorkDirResource
from pipelines.plots import gates_markdown
from pipelines.training import build_candidate, promote_candidate


@dg.asset(
    key=["release", "candidate"],
    group_name="release",
    deps=[
        ["models", "signal_model"],
        ["models", "target_model"],
        ["models", "engine_weights"],
        ["models", "microprice"],
        ["core", "positions"],
    ],
    pool=LEARNING_POOL,
    kinds={"json"},
    description="Models, weights and microprices that have earned their place, under their content's hash.",
)
def candidate(work: WorkDirResource) -> dg.MaterializeResult:
    """Put the candidate together; without anything new there is none."""
    result = build_candidate(work.workdir)
    return dg.MaterializeResult(
        metadata={
            "release_id": result["release_id"] or "none",
            "changes": result["changes"],
            "model": result["model"],
            "weights": result["weights"],
            "microprices": result["microprices"],
            "target_model": result["target_model"],
            "target_gates": gates_markdown(result["target_gates"]),
            "promotable": result["promotable"],
            "gates": gates_markdown(result["gates"]),
        }
    )


@dg.asset(
    key=["release", "promoted"],
    group_name="release",
    deps=[["release", "candidate"]],
    pool=LEARNING_POOL,
    kinds={"json"},
    description="The pointer that running flows follow. A refusal leaves it where it is, with the reasons.",
)
def promoted(work: WorkDirResource) -> dg.MaterializeResult:
    """Promote the candidate if its gates allow."""
    result = promote_candidate(work.workdir)
    return dg.MaterializeResult(
        metadata={
            "promoted": result["promoted"],
            "reason": result["reason"],
            "current": result["current"] or "none",
            "gates": gates_markdown(result["gates"]),
        }
    )
