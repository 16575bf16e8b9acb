"""The feature kernel equals the definitions on the beginning of each real stream: quotes, depth with trades, orders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chimera_platform.market.book import BOOK_LEVELS
from chimera_platform.market.instruments import load_instruments
from chimera_platform.market.sources import open_source
from chimera_platform.microstructure.feature_stream import FeatureStream
from tests.reference.book import ReferenceBook
from tests.reference.features import DEFINED_HERE, ReferenceFeatures

pytestmark = pytest.mark.real_data
STREAMS = {
    "oanda/tick": ("oanda", "XAUUSD", 2_500),
    "binance/usdm_btcusdt_20240808.gz": ("binance", "BTCUSDT", 12_000),
    "comex/tick": ("comex", "GC", 2_500),
    "lobster/LOBSTER_SampleFile_GOOG_2012-06-21_5.zip": ("lobster", "GOOG", 3_500),
}


@pytest.mark.parametrize("path", list(STREAMS))
def test_the_kernel_equals_the_definitions_on_real_events(real_data: Path, path: str) -> None:
    form, symbol, count = STREAMS[path]
    source = open_source([real_data / path], form, load_instruments(), [symbol])
    events = next(iter(source.batches(count)))
    assert len(events) == count
    found = FeatureStream(source.universe).run(events)[1]
    book, features = ReferenceBook(BOOK_LEVELS), ReferenceFeatures(float(source.universe[0].tick_size))
    rows = []
    for event in events:
        book.apply(event)
        vector = features.update(book, event)
        if vector is not None:
            rows.append(vector)
    wanted = np.array(rows)
    defined = [f.name for f in DEFINED_HERE if not np.isnan(wanted[:, f]).all()]
    print(f"{symbol}: {len(wanted)} source events compared, defined: {', '.join(defined)}")
    for feature in DEFINED_HERE:
        np.testing.assert_allclose(found[:, feature], wanted[:, feature], rtol=1e-12, atol=1e-13, err_msg=feature.name)
