"""Examples with a known relation between inputs and outcome."""

from __future__ import annotations

import numpy as np

from chimera_platform.journal.schema import NS_PER_DAY
from chimera_platform.learning.dataset import Examples
from chimera_platform.learning.model_inputs import MODEL_INPUT_COUNT, ModelInput

NS = 1_000_000_000


def planted_examples(days: int = 4, per_day: int = 600, strength: float = 3.0, seed: int = 1) -> Examples:
    """Intents that win with logit ``strength * queue imbalance - 0.5`` and win or lose about one basis point."""
    random = np.random.default_rng(seed)
    n = days * per_day
    inputs = random.normal(size=(n, MODEL_INPUT_COUNT))
    inputs[:, ModelInput.QUEUE_IMBALANCE] = random.uniform(-1.0, 1.0, n)
    inputs[:, ModelInput.ENGINE] = random.integers(0, 2, n)
    chance = 1.0 / (1.0 + np.exp(0.5 - strength * inputs[:, ModelInput.QUEUE_IMBALANCE]))
    won = (random.random(n) < chance).astype(np.float64)
    net_bps = np.where(won > 0, 1.0, -1.0) * random.uniform(0.5, 1.5, n)
    ts = np.concatenate([(16_000 + d) * NS_PER_DAY + np.arange(per_day) * 60 * NS for d in range(days)])
    return Examples(inputs, won, net_bps, ts, ts + 90 * NS, inputs[:, ModelInput.ENGINE].astype(np.int64))


def with_shuffled_outcomes(examples: Examples, seed: int = 2) -> Examples:
    """Return the examples with outcomes dealt anew: whatever the inputs said of them is gone."""
    order = np.random.default_rng(seed).permutation(len(examples))
    return Examples(
        examples.inputs,
        examples.won[order],
        examples.net_bps[order],
        examples.ts,
        examples.horizon_end,
        examples.engine,
    )
