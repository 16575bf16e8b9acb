-- Data quality in more kinds, one row a check beside the wide row, and what a person has accepted. The table is derived:
-- its days are inspected anew.
DROP TABLE learning.data_quality;

-- grain: run and UTC day whose events were inspected; key: run_id, day
CREATE TABLE learning.data_quality (
    run_id VARCHAR NOT NULL,
    day DATE NOT NULL,
    events BIGINT NOT NULL,
    source_events BIGINT NOT NULL,
    missing_rows BIGINT NOT NULL,      -- event numbers that the day should have and has not
    duplicate_rows BIGINT NOT NULL,    -- event numbers that are there twice
    out_of_order BIGINT NOT NULL,      -- records earlier than the one before
    stale_clock BIGINT NOT NULL,       -- records received far from their exchange time
    frozen_clock BIGINT NOT NULL,      -- source events in a row in which the time did not advance, at most
    repeated BIGINT NOT NULL,          -- records of a source event that was over already
    gaps BIGINT NOT NULL,              -- losses that the feed itself reported
    crossed BIGINT NOT NULL,           -- source events that left a book crossed or locked
    locked_ms BIGINT NOT NULL,         -- longest stretch of a book that was crossed or locked
    one_sided_ms BIGINT NOT NULL,      -- longest stretch of a book with one side only
    unmatched BIGINT NOT NULL,         -- records that did not fit the book
    bad_sizes BIGINT NOT NULL,         -- records with no or a negative size where there must be one
    price_spikes BIGINT NOT NULL,      -- jumps of mid or prints that came back at once
    quarantined BOOLEAN NOT NULL,      -- true: not trained on
    reasons VARCHAR NOT NULL,          -- what was above its limit, empty where nothing was
    accepted VARCHAR NOT NULL          -- who has accepted what of it, and why; empty where nobody has
);

-- grain: run, UTC day and check; key: run_id, day, check_name
CREATE TABLE learning.quality_findings (
    run_id VARCHAR NOT NULL,
    day DATE NOT NULL,
    check_name VARCHAR NOT NULL,
    found DOUBLE NOT NULL,             -- as in learning.data_quality
    allowed DOUBLE NOT NULL,           -- the limit that it was held against
    passed BOOLEAN NOT NULL,           -- within the limit
    accepted BOOLEAN NOT NULL          -- not within it, and accepted by a person
);
