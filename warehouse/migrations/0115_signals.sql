-- Signals: what the detectors said on the journal's events, what the price did afterwards, and what it does at any time.
-- Derived by the kernels of the decision path under the run's own settings. No change of the price is known beyond the
-- last event of its UTC day.

-- grain: run and UTC day that the detectors have been through; key: run_id, day
CREATE TABLE learning.detection_days (
    run_id VARCHAR NOT NULL,
    day DATE NOT NULL,
    events BIGINT NOT NULL,
    detections BIGINT NOT NULL,        -- rows in learning.detections
    settings VARCHAR NOT NULL          -- JSON, of the detectors
);

-- grain: change of a detection's stage; key: run_id, event_no, instrument_id, detector, detection_no, stage
CREATE TABLE learning.detections (
    run_id VARCHAR NOT NULL,
    day DATE NOT NULL,
    event_no BIGINT NOT NULL,          -- nothing later was known
    ts_event BIGINT NOT NULL,
    instrument_id INTEGER NOT NULL,
    detector UTINYINT NOT NULL,        -- Detector
    stage UTINYINT NOT NULL,           -- Stage
    side TINYINT NOT NULL,             -- +1 bullish, -1 bearish
    detection_no BIGINT NOT NULL,      -- of the instrument and detector; the same through its life
    ts_start BIGINT NOT NULL,
    price_low BIGINT NOT NULL,
    price_high BIGINT NOT NULL,
    size BIGINT NOT NULL,
    strength DOUBLE NOT NULL,          -- 0 to 1
    evidence_1 DOUBLE NOT NULL,        -- the detector's own figures, named in its module
    evidence_2 DOUBLE NOT NULL,
    evidence_3 DOUBLE NOT NULL,
    evidence_4 DOUBLE NOT NULL,
    direction TINYINT NOT NULL,        -- +1 or -1 where it is a signal: confirmed, or a sweep that came back; else 0
    signal VARCHAR,                    -- name of the signal; null where it is none
    session UTINYINT NOT NULL,         -- CitySession
    regime TINYINT NOT NULL,           -- Regime in force, -1 before there is enough history
    mid DOUBLE,                        -- ticks; null where there was no price
    spread BIGINT NOT NULL,            -- ticks
    change_1s DOUBLE,                  -- ticks, of the mid from this event on; null where not known
    change_10s DOUBLE,
    change_60s DOUBLE,
    change_300s DOUBLE
);

-- grain: run, instrument, minute and horizon: what the price did after any second's first event; key: run_id, instrument_id, minute_ts, horizon_s
CREATE TABLE learning.price_changes (
    run_id VARCHAR NOT NULL,
    day DATE NOT NULL,
    instrument_id INTEGER NOT NULL,
    minute_ts BIGINT NOT NULL,         -- ns UTC, its beginning
    horizon_s INTEGER NOT NULL,
    session UTINYINT NOT NULL,         -- CitySession
    regime TINYINT NOT NULL,           -- Regime in force at the minute's first such event
    moments BIGINT NOT NULL,           -- seconds with a price and a known change
    ups BIGINT NOT NULL,
    downs BIGINT NOT NULL,
    ticks DOUBLE NOT NULL              -- sum of the changes
);
