-- The ledger: what has been ingested, the runs and their instruments, and the names of the codes in the rows.
CREATE SCHEMA staging;
CREATE SCHEMA core;
CREATE SCHEMA marts;

-- grain: one ingested journal segment; key: run_id, table_name, first_row
CREATE TABLE staging.segments (
    run_id VARCHAR NOT NULL,
    table_name VARCHAR NOT NULL,
    segment VARCHAR NOT NULL,      -- file name in the journal
    first_row BIGINT NOT NULL,
    last_row BIGINT NOT NULL,
    day DATE NOT NULL,             -- UTC day of its rows' ts_event
    sha256 VARCHAR NOT NULL,       -- over the packed rows, as in the segment's footer
    ingested_at TIMESTAMPTZ NOT NULL
);

-- grain: one run of a flow; key: run_id
CREATE TABLE staging.runs (
    run_id VARCHAR NOT NULL,
    source VARCHAR NOT NULL,       -- canonical description of the event source
    created TIMESTAMPTZ NOT NULL,
    configuration VARCHAR NOT NULL,  -- JSON
    versions VARCHAR NOT NULL      -- JSON: package to version
);

-- grain: one instrument of a run's universe; key: run_id, instrument_id
CREATE TABLE staging.instruments (
    run_id VARCHAR NOT NULL,
    instrument_id INTEGER NOT NULL,
    symbol VARCHAR NOT NULL,
    venue VARCHAR NOT NULL,
    currency VARCHAR NOT NULL,
    contract VARCHAR NOT NULL,         -- linear or inverse
    tick_numerator BIGINT NOT NULL,    -- price = ticks * tick_numerator / tick_denominator
    tick_denominator BIGINT NOT NULL,
    lot_numerator BIGINT NOT NULL,     -- size = lots * lot_numerator / lot_denominator
    lot_denominator BIGINT NOT NULL,
    multiplier DOUBLE NOT NULL,
    tick_value_nanos BIGINT NOT NULL   -- value of one tick on one lot, nanos of the currency
);

-- grain: one member of an enumeration of the rows; key: enumeration, code
CREATE TABLE staging.enumerations (
    enumeration VARCHAR NOT NULL,
    code INTEGER NOT NULL,
    name VARCHAR NOT NULL          -- lower case
);

-- One row that every writing transaction updates: of two writers at once one conflicts and begins again.
CREATE TABLE staging.writer_turn (turn BIGINT NOT NULL);
INSERT INTO staging.writer_turn VALUES (0);
