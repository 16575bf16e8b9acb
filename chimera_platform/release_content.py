"""What a release says: its files' content, parsed and held against what a running flow can use."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chimera_platform.configuration import Configuration, with_parameters
from chimera_platform.engines.order_flow.parameters import ORDER_FLOW_SECTIONS
from chimera_platform.errors import ChimeraError, ReleaseError
from chimera_platform.execution.records import SIGNAL_ENGINES
from chimera_platform.learning.model_inputs import MODEL_INPUT_NAMES
from chimera_platform.learning.target_inputs import TARGET_INPUT_NAMES
from chimera_platform.learning.trees import CLASSIFIER, QUANTILE_REGRESSOR, Trees
from chimera_platform.release_microprice import parse_microprice

FORMAT = 1
PARAMETER_SECTIONS = ("hft", "structure", *ORDER_FLOW_SECTIONS)
"""The settings sections that a release may override: the engines' own, never risk limits or the account."""

ENGINE_NAMES = tuple(engine.name.lower() for engine in SIGNAL_ENGINES)
"""The engines whose share of capital a release weighs; hedges have no weight but their own share of the account."""
MODEL_BYTES_MAX = 64 * 2**20
PARAMETERS, WEIGHTS, MODEL, MANIFEST = "parameters.json", "weights.json", "model.json", "manifest.json"
MICROPRICE, TARGET_MODEL = "microprice.json", "target_model.json"


@dataclass(frozen=True)
class Release:
    """A verified release.

    Attributes
    ----------
    id : content address, 32 lower-case hex digits.
    parameters : settings section → key → value, overriding the configuration's.
    weights : engine name in lower case → weight in [0, 1]; one that is not named keeps weight 1.
    trees : the signal model, or None for 'take every intent'.
    threshold : an intent whose score is below it is refused, [0, 1]; without meaning where there is no model.
    manifest : the manifest as stored: ``format``, ``threshold``, ``model_inputs``, ``files``, and where it all came
        from (``warehouse_snapshot``, ``trained_days``, ``run_ids``, ``validation``, ``gates``, …).
    microprice : symbol → its fitted microprice, shape (1,), ``MICROPRICE_DTYPE``; others are unfitted.
    target_trees : the target model, or None for 'the engines' own targets'.
    """

    id: str
    parameters: dict[str, dict[str, float]]
    weights: dict[str, float]
    trees: Trees | None = field(compare=False)
    threshold: float
    manifest: dict[str, Any]
    microprice: dict[str, np.ndarray[Any, Any]] = field(default_factory=dict, compare=False)
    target_trees: Trees | None = field(default=None, compare=False)


def canonical_json(value: Any) -> bytes:
    """Return the one byte form of a JSON value: sorted keys, no spaces, UTF-8, no NaN."""
    try:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ReleaseError(f"a release holds plain JSON values without NaN or infinity: {error}") from None
    return text.encode()


def sha256(data: bytes) -> str:
    """Return the SHA-256 of ``data`` in hex."""
    return hashlib.sha256(data).hexdigest()


def manifest_files(manifest: bytes, where: str) -> dict[str, dict[str, Any]]:
    """Return the manifest's file table, or refuse a manifest that was not written by :meth:`ReleaseStore.create`."""
    try:
        files: dict[str, dict[str, Any]] = json.loads(manifest)["files"]
        names = set(files)
    except (ValueError, KeyError, TypeError) as error:
        raise ReleaseError(f"{where}: manifest.json is not a release's manifest: {error!r}") from None
    if not {PARAMETERS, WEIGHTS} <= names <= {PARAMETERS, WEIGHTS, MODEL, MICROPRICE, TARGET_MODEL}:
        raise ReleaseError(f"{where}: manifest.json lists {sorted(names)}; a release has other files")
    return files


def parse_release(release_id: str, files: Mapping[str, bytes], where: str) -> Release:
    """Return the release that verified file contents say, or refuse what no running flow could use."""
    manifest = json.loads(files[MANIFEST])
    if manifest.get("format") != FORMAT:
        raise ReleaseError(f"{where}: format {manifest.get('format')!r}; this version reads {FORMAT}: train anew")
    parameters = json.loads(files[PARAMETERS])
    weights = json.loads(files[WEIGHTS])
    threshold = manifest["threshold"]
    _check_parameters(parameters, where)
    _check_weights(weights, where)
    if not 0.0 <= threshold <= 1.0:
        raise ReleaseError(f"{where}: threshold is {threshold}; expected a number in [0, 1]")
    trees = _parse_model(files, MODEL, manifest["model_inputs"], MODEL_INPUT_NAMES, CLASSIFIER, where)
    read = manifest.get("target_inputs")
    target_trees = _parse_model(files, TARGET_MODEL, read, TARGET_INPUT_NAMES, QUANTILE_REGRESSOR, where)
    microprice = {}
    if MICROPRICE in files:
        microprice = parse_microprice(files[MICROPRICE], f"{where}: {MICROPRICE}")
    return Release(release_id, parameters, weights, trees, threshold, manifest, microprice, target_trees)


def _parse_model(
    files: Mapping[str, bytes], name: str, trained_on: object, inputs: tuple[str, ...], objective: str, where: str
) -> Trees | None:
    """Return the model in the file ``name``, None where the release has none.

    ``trained_on``: the inputs that the manifest names; ``inputs``: those that this version feeds.
    """
    if name not in files:
        return None
    if trained_on != list(inputs):
        raise ReleaseError(f"{where}: {name} was trained on other inputs than this version feeds: train anew")
    data = files[name]
    if len(data) > MODEL_BYTES_MAX:
        raise ReleaseError(f"{where}: {name} has {len(data):,} bytes; at most {MODEL_BYTES_MAX:,} are allowed")
    trees = Trees.from_xgboost_json(data, f"{where}: {name}", objective)
    if trees.feature_count != len(inputs) or trees.feature_names not in ((), inputs):
        names = ", ".join(trees.feature_names) or f"{trees.feature_count} inputs"
        raise ReleaseError(f"{where}: {name} reads {names}; expected {', '.join(inputs)}")
    return trees


def _check_parameters(parameters: Mapping[str, Mapping[str, float]], where: str) -> None:
    for section, values in parameters.items():
        if section not in PARAMETER_SECTIONS:
            allowed = ", ".join(PARAMETER_SECTIONS)
            raise ReleaseError(f"{where}: a release cannot set section '{section}'; it may set {allowed}")
        for key, value in values.items():
            if not isinstance(value, int | float) or not math.isfinite(value):
                raise ReleaseError(f"{where}: {section}.{key} is {value!r}; expected a finite number")
    if any(parameters.values()):
        try:
            with_parameters(Configuration(), parameters)
        except (ChimeraError, ValueError) as error:
            raise ReleaseError(f"{where}: {error}") from error


def _check_weights(weights: Mapping[str, float], where: str) -> None:
    for engine, weight in weights.items():
        if engine not in ENGINE_NAMES:
            raise ReleaseError(f"{where}: unknown engine '{engine}'; known: {', '.join(ENGINE_NAMES)}")
        if not isinstance(weight, int | float) or not 0.0 <= weight <= 1.0:
            raise ReleaseError(f"{where}: weight of {engine} is {weight!r}; expected a number in [0, 1]")
