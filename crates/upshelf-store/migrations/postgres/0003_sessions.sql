-- No token stands here, only hashes, and a successor sealed under the token it replaces (see upshelf-session).
CREATE TABLE sessions (
    id               UUID   NOT NULL PRIMARY KEY,
    member_id        UUID   NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    created_at       BIGINT NOT NULL,
    auth_time        BIGINT NOT NULL,
    last_seen_at     BIGINT NOT NULL,
    expires_at       BIGINT NOT NULL,
    idle_until       BIGINT NOT NULL,
    ip               TEXT,
    user_agent       TEXT,
    current_hash     TEXT   NOT NULL,
    previous_hash    TEXT,
    rotated_at       BIGINT,
    sealed_successor BYTEA,
    revoked_at       BIGINT,
    revoked_reason   TEXT
);
CREATE INDEX sessions_by_member ON sessions (member_id);

-- One row: the private keys that sign access tokens.
CREATE TABLE session_keys (
    id       BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    version  BIGINT NOT NULL,
    document TEXT   NOT NULL
);
