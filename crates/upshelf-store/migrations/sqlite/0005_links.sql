-- What was last seen of a resource's link; `url` is the address that all of it is about.
-- `told_gone` and `told_moved_to` are what the site has suggested already, so that it never does twice.
CREATE TABLE links (
    resource_id    BLOB NOT NULL PRIMARY KEY REFERENCES resources (id) ON DELETE CASCADE,
    url            TEXT NOT NULL,
    checked_at     INTEGER NOT NULL,
    seen           TEXT NOT NULL,
    gone_times     INTEGER NOT NULL,
    gone_since     INTEGER,
    gone_last      INTEGER,
    moved_to       TEXT,
    moved_times    INTEGER NOT NULL,
    moved_since    INTEGER,
    told_gone      INTEGER NOT NULL,
    told_moved_to  TEXT
) STRICT;
CREATE INDEX links_by_age ON links (checked_at);
