-- No token stands here, only hashes, and a successor sealed under the token it replaces (see upshelf-session).
CREATE TABLE sessions (
    id               BLOB    NOT NULL PRIMARY KEY,
    member_id        BLOB    NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    created_at       INTEGER NOT NULL,
    auth_time        INTEGER NOT NULL,
    last_seen_at     INTEGER NOT NULL,
    expires_at       INTEGER NOT NULL,
    idle_until       INTEGER NOT NULL,
    ip               TEXT,
    user_agent       TEXT,
    current_hash     TEXT    NOT NULL,
    previous_hash    TEXT,
    rotated_at       INTEGER,
    sealed_successor BLOB,
    revoked_at       INTEGER,
    revoked_reason   TEXT
) STRICT;
CREATE INDEX sessions_by_member ON sessions (member_id);

-- One row: the private keys that sign access tokens.
CREATE TABLE session_keys (
    id       INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    version  INTEGER NOT NULL,
    document TEXT    NOT NULL
) STRICT;
