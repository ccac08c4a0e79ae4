-- Of the unread notices of one group only the newest is listed: "12 people voted".
ALTER TABLE notices ADD COLUMN group_key TEXT;
-- The notice that took this one's place, which counts as read from then on.
ALTER TABLE notices ADD COLUMN replaced_by BIGINT;

-- How many votes those concerned have been told of.
ALTER TABLE suggestions ADD COLUMN told_votes BIGINT NOT NULL DEFAULT 0;
