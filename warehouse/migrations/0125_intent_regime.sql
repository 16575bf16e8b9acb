-- The regime that was in force when an engine decided; -1: not known, as for intents of runs from before.
ALTER TABLE staging.intents ADD COLUMN regime TINYINT DEFAULT -1;
