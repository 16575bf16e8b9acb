-- What gates are worth: refused and resized intents carried out in the venue model, and whether it can be believed.

-- grain: intent that was refused, or approved in another size than wanted, while its engine was out of the market and there was one; key: run_id, intent_no
CREATE TABLE learning.gate_counterfactuals (
    run_id VARCHAR NOT NULL,
    day DATE NOT NULL,
    intent_no BIGINT NOT NULL,
    instrument_id INTEGER NOT NULL,
    engine UTINYINT NOT NULL,
    session UTINYINT NOT NULL,           -- CitySession at the decision
    gate USMALLINT NOT NULL,             -- DecisionReason that refused it, or that set its size
    outcome VARCHAR NOT NULL,            -- closed; open: valued at the last mid; repeat: the engine went on wanting what the gate had refused before; capacity: worth more than money is exact for
    size_wanted BIGINT NOT NULL,         -- lots, by the engine
    size_approved BIGINT NOT NULL,       -- lots; 0 where refused
    pnl_wanted_nanos BIGINT,             -- net of fees, in the size wanted; null where it was not carried out
    pnl_approved_nanos BIGINT,           -- in the size approved: 0 where refused
    effect_nanos BIGINT,                 -- pnl_approved less pnl_wanted: positive where the gate saved money
    fees_wanted_nanos BIGINT,            -- in the size wanted; negative: a rebate
    entered_lots BIGINT,                 -- that the entry filled of the size wanted
    held_ns BIGINT                       -- in the size wanted, from the first fill known to the last
);

-- grain: run and UTC day; key: run_id, day
CREATE TABLE learning.gate_controls (
    run_id VARCHAR NOT NULL,
    day DATE NOT NULL,
    events BIGINT NOT NULL,              -- of the day when it was carried out
    lanes BIGINT NOT NULL,               -- accounts that were carried along for the whole run
    is_drawn BOOLEAN NOT NULL,           -- the venue draws latencies or refusals, or limits messages: equal on the average only
    compared BIGINT NOT NULL,            -- approved intents, closed by their own plan, carried out again in the size approved
    equal BIGINT NOT NULL,               -- of them earned the same, to the nano
    alone BIGINT NOT NULL,               -- of them had no other order of the account beside them in the instrument
    alone_equal BIGINT NOT NULL,         -- of these earned the same
    booked_nanos BIGINT NOT NULL,        -- net that the compared ones earned
    carried_nanos BIGINT NOT NULL,       -- net that they earned when carried out again
    apart_nanos BIGINT NOT NULL          -- sum of the absolute differences
);

-- grain: run, last UTC day with events, gate, session and engine, each also 'all'; key: run_id, day, gate, session, engine
CREATE TABLE learning.gate_intervals (
    run_id VARCHAR NOT NULL,
    day DATE NOT NULL,
    gate VARCHAR NOT NULL,
    session VARCHAR NOT NULL,
    engine VARCHAR NOT NULL,
    intents BIGINT NOT NULL,             -- carried out
    mean_effect DOUBLE NOT NULL,         -- of an intent, in currency
    low DOUBLE,                          -- 95 % interval of the mean by the stationary bootstrap; null below 20 intents
    high DOUBLE,
    block_length DOUBLE NOT NULL         -- mean number of intents in a row that are drawn together
);
