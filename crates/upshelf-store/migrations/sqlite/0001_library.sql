-- Times are microseconds since 1970 (UTC). The same file, in the other engine's types, stands in ../postgres.

CREATE TABLE settings (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

CREATE TABLE members (
    id            BLOB    NOT NULL PRIMARY KEY,
    username      TEXT    NOT NULL,
    username_key  TEXT    NOT NULL UNIQUE,
    email         TEXT    NOT NULL,
    email_key     TEXT    NOT NULL UNIQUE,
    display_name  TEXT    NOT NULL,
    bio           TEXT    NOT NULL,
    role          TEXT    NOT NULL CHECK (role IN ('member', 'curator', 'admin')),
    password_hash TEXT    NOT NULL,
    joined_at     INTEGER NOT NULL,
    banned_at     INTEGER,
    notice_seq    INTEGER NOT NULL
) STRICT;

-- A list remembers two documents: `imported`, as its file last came in, and `document`, with approved changes applied.
CREATE TABLE lists (
    id         BLOB    NOT NULL PRIMARY KEY,
    slug       TEXT    NOT NULL UNIQUE,
    title      TEXT    NOT NULL,
    imported   BLOB,
    document   BLOB,
    version    INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT;

CREATE TABLE categories (
    id        BLOB    NOT NULL PRIMARY KEY,
    list_id   BLOB    NOT NULL REFERENCES lists (id) ON DELETE CASCADE,
    parent_id BLOB    REFERENCES categories (id) ON DELETE CASCADE,
    position  INTEGER NOT NULL,
    title     TEXT    NOT NULL,
    slug      TEXT    NOT NULL UNIQUE
) STRICT;
CREATE INDEX categories_by_list ON categories (list_id, position);

CREATE TABLE resources (
    id          BLOB    NOT NULL PRIMARY KEY,
    url         TEXT    NOT NULL,
    url_key     TEXT    NOT NULL UNIQUE,
    title       TEXT    NOT NULL,
    title_key   TEXT    NOT NULL,
    description TEXT    NOT NULL,
    status      TEXT    NOT NULL CHECK (status IN ('live', 'removed')),
    version     INTEGER NOT NULL,
    popularity  INTEGER NOT NULL,
    added_by    BLOB    REFERENCES members (id) ON DELETE SET NULL,
    added_at    INTEGER NOT NULL,
    changed_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX resources_by_age ON resources (status, added_at, id);
CREATE INDEX resources_by_popularity ON resources (status, popularity, id);
CREATE INDEX resources_by_title ON resources (status, title_key, id);

CREATE TABLE placements (
    resource_id BLOB    NOT NULL REFERENCES resources (id) ON DELETE CASCADE,
    category_id BLOB    NOT NULL REFERENCES categories (id) ON DELETE CASCADE,
    position    INTEGER NOT NULL,
    PRIMARY KEY (resource_id, category_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX placements_by_category ON placements (category_id, position);

CREATE TABLE tags (
    slug       TEXT    NOT NULL PRIMARY KEY,
    label      TEXT    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE resource_tags (
    resource_id BLOB NOT NULL REFERENCES resources (id) ON DELETE CASCADE,
    tag         TEXT NOT NULL REFERENCES tags (slug) ON DELETE CASCADE,
    PRIMARY KEY (resource_id, tag)
) STRICT, WITHOUT ROWID;
CREATE INDEX resource_tags_by_tag ON resource_tags (tag, resource_id);

CREATE TABLE collections (
    id          BLOB    NOT NULL PRIMARY KEY,
    member_id   BLOB    NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    title       TEXT    NOT NULL,
    description TEXT    NOT NULL,
    public      INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    changed_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX collections_by_member ON collections (member_id, id);

CREATE TABLE collection_items (
    collection_id BLOB    NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
    resource_id   BLOB    NOT NULL REFERENCES resources (id) ON DELETE CASCADE,
    position      INTEGER NOT NULL,
    added_at      INTEGER NOT NULL,
    PRIMARY KEY (collection_id, resource_id)
) STRICT;
CREATE INDEX collection_items_by_resource ON collection_items (resource_id);

-- `changes` and `before` are JSON of catalog::Changes; `hot` and `controversy` are sort keys that a vote recomputes.
CREATE TABLE suggestions (
    id              BLOB    NOT NULL PRIMARY KEY,
    kind            TEXT    NOT NULL CHECK (kind IN ('add', 'edit', 'move', 'remove')),
    status          TEXT    NOT NULL
        CHECK (status IN ('open', 'approving', 'approved', 'rejected', 'withdrawn', 'conflict')),
    author_id       BLOB    NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    resource_id     BLOB    REFERENCES resources (id) ON DELETE CASCADE,
    base_version    INTEGER,
    url_key         TEXT,
    changes         TEXT    NOT NULL,
    before          TEXT    NOT NULL,
    reason          TEXT    NOT NULL,
    evidence        TEXT,
    up              INTEGER NOT NULL,
    down            INTEGER NOT NULL,
    score           INTEGER NOT NULL,
    version         INTEGER NOT NULL,
    hot             REAL    NOT NULL,
    controversy     REAL    NOT NULL,
    objection       TEXT,
    objection_by    BLOB    REFERENCES members (id) ON DELETE SET NULL,
    opened_at       INTEGER NOT NULL,
    approving_until INTEGER,
    decided_at      INTEGER,
    decided_by      BLOB    REFERENCES members (id) ON DELETE SET NULL,
    decision_reason TEXT
) STRICT;
CREATE INDEX suggestions_by_age ON suggestions (status, id);
CREATE INDEX suggestions_by_hot ON suggestions (status, hot, id);
CREATE INDEX suggestions_by_score ON suggestions (status, score, id);
CREATE INDEX suggestions_by_controversy ON suggestions (status, controversy, id);
CREATE INDEX suggestions_by_author ON suggestions (author_id, id);
CREATE INDEX suggestions_by_resource ON suggestions (resource_id, status);
CREATE INDEX suggestions_by_url ON suggestions (url_key, status);

-- `origin` is a keyed hash of the voter's network, kept to see whether one address alone carries a suggestion.
CREATE TABLE votes (
    suggestion_id BLOB    NOT NULL REFERENCES suggestions (id) ON DELETE CASCADE,
    member_id     BLOB    NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    value         INTEGER NOT NULL CHECK (value IN (-1, 1)),
    void          INTEGER NOT NULL,
    origin        TEXT,
    cast_at       INTEGER NOT NULL,
    PRIMARY KEY (suggestion_id, member_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX votes_by_member ON votes (member_id);

CREATE TABLE comments (
    id            BLOB    NOT NULL PRIMARY KEY,
    suggestion_id BLOB    NOT NULL REFERENCES suggestions (id) ON DELETE CASCADE,
    member_id     BLOB    NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    body          TEXT    NOT NULL,
    created_at    INTEGER NOT NULL
) STRICT;
CREATE INDEX comments_by_suggestion ON comments (suggestion_id, id);

-- The public log: every change of state, for ever.
CREATE TABLE log (
    id            BLOB    NOT NULL PRIMARY KEY,
    at            INTEGER NOT NULL,
    actor         TEXT    NOT NULL CHECK (actor IN ('member', 'rule', 'system')),
    member_id     BLOB    REFERENCES members (id) ON DELETE SET NULL,
    action        TEXT    NOT NULL,
    suggestion_id BLOB    REFERENCES suggestions (id) ON DELETE SET NULL,
    resource_id   BLOB    REFERENCES resources (id) ON DELETE SET NULL,
    rule          TEXT,
    standing      TEXT,
    before        TEXT,
    after         TEXT,
    reason        TEXT
) STRICT;
CREATE INDEX log_by_suggestion ON log (suggestion_id, id);
CREATE INDEX log_by_resource ON log (resource_id, id);

-- `state` is JSON of store::ResourceState; `undo` takes the change back in the documents of lists.
CREATE TABLE resource_versions (
    resource_id BLOB    NOT NULL REFERENCES resources (id) ON DELETE CASCADE,
    version     INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    log_id      BLOB    REFERENCES log (id) ON DELETE SET NULL,
    state       TEXT    NOT NULL,
    undo        TEXT,
    PRIMARY KEY (resource_id, version)
) STRICT;

CREATE TABLE notices (
    member_id  BLOB    NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    seq        INTEGER NOT NULL,
    kind       TEXT    NOT NULL,
    event_key  TEXT    NOT NULL,
    payload    TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    read_at    INTEGER,
    PRIMARY KEY (member_id, seq),
    UNIQUE (member_id, event_key)
) STRICT;
CREATE INDEX notices_unread ON notices (member_id, seq) WHERE read_at IS NULL;

CREATE TABLE notice_preferences (
    member_id BLOB    NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    kind      TEXT    NOT NULL,
    inbox     INTEGER NOT NULL,
    email     TEXT    NOT NULL CHECK (email IN ('off', 'instant', 'digest')),
    PRIMARY KEY (member_id, kind)
) STRICT;

CREATE TABLE watches (
    member_id  BLOB    NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    kind       TEXT    NOT NULL CHECK (kind IN ('resource', 'category', 'suggestion')),
    target_id  BLOB    NOT NULL,
    level      TEXT    NOT NULL CHECK (level IN ('muted', 'normal', 'watching')),
    created_at INTEGER NOT NULL,
    PRIMARY KEY (member_id, kind, target_id)
) STRICT;
CREATE INDEX watches_by_target ON watches (kind, target_id);

CREATE TABLE api_keys (
    id           BLOB    NOT NULL PRIMARY KEY,
    member_id    BLOB    NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    name         TEXT    NOT NULL,
    token_hash   TEXT    NOT NULL UNIQUE,
    scopes       TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER,
    revoked_at   INTEGER
) STRICT;

-- Replies kept for requests that carried an Idempotency-Key; `status` is null while the first one is still running.
CREATE TABLE idempotency (
    key          TEXT    NOT NULL PRIMARY KEY,
    fingerprint  TEXT    NOT NULL,
    status       INTEGER,
    content_type TEXT,
    body         BLOB,
    created_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX idempotency_by_age ON idempotency (created_at);

-- Counts per resource and day (days since 1970); no personal data.
CREATE TABLE resource_days (
    resource_id BLOB    NOT NULL REFERENCES resources (id) ON DELETE CASCADE,
    day         INTEGER NOT NULL,
    views       INTEGER NOT NULL,
    saves       INTEGER NOT NULL,
    votes       INTEGER NOT NULL,
    PRIMARY KEY (resource_id, day)
) STRICT;
CREATE INDEX resource_days_by_day ON resource_days (day);

-- Mails on their way, one per message key however often the job is retried.
CREATE TABLE mails (
    id          BLOB    NOT NULL PRIMARY KEY,
    message_key TEXT    NOT NULL UNIQUE,
    recipient   TEXT    NOT NULL,
    subject     TEXT    NOT NULL,
    body        TEXT    NOT NULL,
    html        TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    sent_at     INTEGER
) STRICT;
