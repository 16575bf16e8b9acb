"""The page of the source documents' settings: ``python -m chimera_platform.documented_settings_page PATH``."""

from __future__ import annotations

import sys
from enum import Enum
from pathlib import Path
from typing import Any

from chimera_platform.configuration import Configuration
from chimera_platform.documented_settings import DOCUMENT_KEYS, document_bounds, field_of, in_document_units

_HEAD = """# The source documents' settings

Every section and key that the platform's source documents name works under that name: in a file, in the environment
and on the command line,

```toml
[system]
max_positions = 10
data_update_interval = 0.1   # s

[trading.liquidity_sweep]
time_window = 5              # s
```

```bash
CHIMERA_SYSTEM__MAX_POSITIONS=10 chimera run …
chimera backtest … --set system.max_positions=10
```

Where the platform calls a setting otherwise, or counts it in another unit, the documents' key stands for it: the value
is converted, checked in the documents' unit, and shown with its source, `chimera config show --changed` says
`chimera.toml: [system] max_positions` beside `risk.max_positions`. Each layer is translated before it goes over the one
before it, so file < environment < command line holds as ever; within one layer a setting may be named by one of its two
names only. `chimera config show --documents` is the table below with the values in force.

*Documents* is the value that the documents give; *default* is the platform's, in the same unit. They differ where the
documents' value is that of one strategy on one market: lots of 10,000 are many of one instrument and few of another.

`threading` places threads that the flow has: workers, which share the instruments among them and run all engines of an
instrument together, and the coordinator, which runs on one of the workers and sends the orders. A worker may use the
cores of all steps that it runs; the two keys of a step name up to two cores. A core that the machine does not have is
an error before the flow starts. `risk.take_profit_ratio` also makes the ratio the source of targets
(`exits.target_source = "ratio"`), unless the same layer names another.

Generated from the code by `python -m chimera_platform.documented_settings_page docs/reference-settings.md`; a test
fails when it is stale.
"""


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, Enum):
        value = value.value
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def settings_page() -> str:
    """Return the page as Markdown."""
    defaults = Configuration()
    lines = [_HEAD]
    for section in dict.fromkeys(key.name[:-1] for key in DOCUMENT_KEYS):
        lines += [f"## [{'.'.join(section)}]", "", _row("key", "setting", "unit", "bounds", "documents", "default")]
        lines.append(_row(*["---"] * 6))
        for key in DOCUMENT_KEYS:
            if key.name[:-1] == section:
                bounds = document_bounds(key, field_of(Configuration, key.setting))
                name, setting = f"`{key.name[-1]}`", f"`{'.'.join(key.setting)}`" if key.is_alias else "the same"
                default = _shown(in_document_units(key, defaults))
                lines.append(_row(name, setting, key.unit, bounds, _shown(key.value), default))
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(settings_page(), encoding="utf-8")
