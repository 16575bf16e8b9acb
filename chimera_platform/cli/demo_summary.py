"""What the demo shows at its end: tables from the warehouse, and plots in the work folder."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from chimera_platform.cli.output import errors
from chimera_platform.workdir import WorkDir

_TABLES = {
    "What each engine earned, by day": """
        SELECT day, engine, sum(fills)::INT AS fills, round(sum(fee_nanos) / 1e9, 2) AS fees, round(sum(pnl), 2) AS net
        FROM core.engine_pnl_daily GROUP BY ALL ORDER BY day, engine""",
    "What the gates said, by release (0: the built-in one)": """
        SELECT release_no AS release, reason, count(*)::INT AS intents
        FROM core.decisions GROUP BY ALL ORDER BY release, intents DESC""",
    "What became of the approved intents, by release": """
        SELECT o.release_no AS release, d.engine, count(*)::INT AS closed,
            round(100 * avg((o.net > 0)::INT), 1) AS winners_percent, round(avg(o.net), 2) AS net_each
        FROM core.intent_outcomes o JOIN core.decisions d USING (run_id, intent_no)
        WHERE o.closed GROUP BY ALL ORDER BY release, d.engine""",
    "Execution: cost against the arrival mid, time to fill": """
        SELECT engine, symbol, CASE WHEN is_exit THEN 'exit' ELSE 'entry' END AS leg, count(*)::INT AS fills,
            round(sum(slippage_bps * size) / sum(size), 3) AS slippage_bps,
            round(quantile_disc(sent_to_fill_ns, 0.5) / 1e6, 2) AS p50_ms
        FROM marts.execution_quality GROUP BY ALL ORDER BY ALL""",
}

_EQUITY = """
    SELECT event_no, ts_event AS ts_ns, equity_nanos / 1e9 AS equity
    FROM staging.marks ORDER BY mark_no"""
_BY_ENGINE = "SELECT day, engine, sum(pnl) AS net FROM core.engine_pnl_daily GROUP BY ALL ORDER BY day, engine"
_RELEASES = "SELECT release_no, from_event_no FROM core.releases ORDER BY release_no"


def show(folders: WorkDir) -> None:
    """Print the tables; each is one query that anybody can ask again with ``chimera sql``."""
    from warehouse.query import run_sql

    for title, query in _TABLES.items():
        with pl.Config(
            tbl_rows=40, tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True, tbl_width_chars=110
        ):
            errors.print(f"\n{title}\n{run_sql(folders, query)}", markup=False)


def write_plots(folders: WorkDir) -> list[Path]:
    """Write ``reports/equity.png`` and ``reports/engines.png`` and return their paths."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from warehouse.query import run_sql

    folders.reports.mkdir(parents=True, exist_ok=True)
    equity, releases = run_sql(folders, _EQUITY), run_sql(folders, _RELEASES)
    figure, axes = plt.subplots(figsize=(9, 4), layout="constrained")
    axes.plot(equity["event_no"], equity["equity"], linewidth=1, color="#1f5fa8")
    for number, event_no in releases.rows():
        if number > 0:
            axes.axvline(event_no, color="#c0392b", linestyle="--", linewidth=1)
            late = event_no > equity["event_no"][-1] / 2
            text = f" release {number} taken up "
            side = "right" if late else "left"
            axes.annotate(text, (event_no, 0.06), xycoords=("data", "axes fraction"), ha=side, color="#c0392b")
    axes.set(title="Equity of the run", xlabel="event number", ylabel="equity")
    axes.ticklabel_format(axis="both", style="plain", useOffset=False)
    axes.grid(alpha=0.3)
    paths = [folders.reports / "equity.png", folders.reports / "engines.png"]
    figure.savefig(paths[0], dpi=120)
    plt.close(figure)

    net = run_sql(folders, _BY_ENGINE).pivot("engine", index="day", values="net").fill_null(0.0).sort("day")
    engines = [column for column in net.columns if column != "day"]
    figure, axes = plt.subplots(figsize=(9, 4), layout="constrained")
    width = 0.8 / max(len(engines), 1)
    for k, engine in enumerate(engines):
        axes.bar([x + k * width for x in range(len(net))], net[engine], width, label=engine)
    axes.axhline(0, color="black", linewidth=0.6)
    axes.set_xticks([x + 0.4 - width / 2 for x in range(len(net))], [str(day) for day in net["day"]])
    axes.set(title="Net profit by engine and day", ylabel="account currency")
    axes.legend()
    figure.savefig(paths[1], dpi=120)
    plt.close(figure)
    return paths
