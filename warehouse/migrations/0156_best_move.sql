-- What the target model learns: how far the market carried a trade before its stop or its time; -1: not known, as for
-- intents without a label and those labelled before this column was there.
ALTER TABLE learning.labelled_intents ADD COLUMN best_move BIGINT DEFAULT -1;
