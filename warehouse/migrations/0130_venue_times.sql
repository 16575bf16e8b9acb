-- When it happened at the venue, beside when it was known; and what order types with a stop or a shown part carry.
-- 0, as in the journal, for requests of the client, and for orders without; runs of before knew fills as they happened.
ALTER TABLE staging.orders ADD COLUMN ts_venue BIGINT DEFAULT 0;
ALTER TABLE staging.orders ADD COLUMN stop_price BIGINT DEFAULT 0;
ALTER TABLE staging.orders ADD COLUMN display_size BIGINT DEFAULT 0;
ALTER TABLE staging.fills ADD COLUMN ts_venue BIGINT DEFAULT 0;
