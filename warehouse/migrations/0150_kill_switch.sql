-- Whether the kill switch was thrown; nothing of before it existed was killed.
ALTER TABLE staging.releases ADD COLUMN killed UTINYINT DEFAULT 0;
