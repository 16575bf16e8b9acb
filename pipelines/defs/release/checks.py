"""The gates as checks, so that a refusal stands out in the asset's page without failing the run."""

import dagster as dg

from pipelines.defs.resources import WorkDirResource
from pipelines.plots import gates_markdown
from pipelines.training import last_candidate


@dg.asset_check(
    asset=["release", "candidate"],
    name="gates",
    description="Every gate of the candidate. A gate that is not passed warns: refusing is a normal outcome.",
)
def gates(work: WorkDirResource) -> dg.AssetCheckResult:
    """Show which gates were not passed."""
    results = last_candidate(work.workdir)["gates"]
    return dg.AssetCheckResult(
        passed=all(result["passed"] for result in results),
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"gates": gates_markdown(results)},
    )
