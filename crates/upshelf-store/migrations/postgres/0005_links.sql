-- What was last seen of a resource's link; `url` is the address that all of it is about.
-- `told_gone` and `told_moved_to` are what the site has suggested already, so that it never does twice.
CREATE TABLE links (
    resource_id    UUID NOT NULL PRIMARY KEY REFERENCES resources (id) ON DELETE CASCADE,
    url            TEXT NOT NULL,
    checked_at     BIGINT NOT NULL,
    seen           TEXT NOT NULL,
    gone_times     BIGINT NOT NULL,
    gone_since     BIGINT,
    gone_last      BIGINT,
    moved_to       TEXT,
    moved_times    BIGINT NOT NULL,
    moved_since    BIGINT,
    told_gone      BOOLEAN NOT NULL,
    told_moved_to  TEXT
);
CREATE INDEX links_by_age ON links (checked_at);
