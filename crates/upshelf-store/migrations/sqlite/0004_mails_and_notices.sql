-- Where the recipient can switch mails of this kind off; none for those that always come.
ALTER TABLE mails ADD COLUMN unsubscribe_url TEXT;
-- Until when one worker has the mail in hand: no other hands it over meanwhile.
ALTER TABLE mails ADD COLUMN held_until INTEGER;

-- What is too old is looked for every hour.
CREATE INDEX mails_by_age ON mails (created_at);
CREATE INDEX notices_by_age ON notices (created_at);
