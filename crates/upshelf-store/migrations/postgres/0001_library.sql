-- Times are microseconds since 1970 (UTC). The same file, in the other engine's types, stands in ../sqlite.

CREATE TABLE settings (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE members (
    id            UUID   NOT NULL PRIMARY KEY,
    username      TEXT   NOT NULL,
    username_key  TEXT   NOT NULL UNIQUE,
    email         TEXT   NOT NULL,
    email_key     TEXT   NOT NULL UNIQUE,
    display_name  TEXT   NOT NULL,
    bio           TEXT   NOT NULL,
    role          TEXT   NOT NULL CHECK (role IN ('member', 'curator', 'admin')),
    password_hash TEXT   NOT NULL,
    joined_at     BIGINT NOT NULL,
    banned_at     BIGINT,
    notice_seq    BIGINT NOT NULL
);

-- A list remembers two documents: `imported`, as its file last came in, and `document`, with approved changes applied.
CREATE TABLE lists (
    id         UUID   NOT NULL PRIMARY KEY,
    slug       TEXT   NOT NULL UNIQUE,
    title      TEXT   NOT NULL,
    imported   BYTEA,
    document   BYTEA,
    version    BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);

CREATE TABLE categories (
    id        UUID   NOT NULL PRIMARY KEY,
    list_id   UUID   NOT NULL REFERENCES lists (id) ON DELETE CASCADE,
    parent_id UUID   REFERENCES categories (id) ON DELETE CASCADE,
    position  BIGINT NOT NULL,
    title     TEXT   NOT NULL,
    slug      TEXT   NOT NULL UNIQUE
);
CREATE INDEX categories_by_list ON categories (list_id, position);

CREATE TABLE resources (
    id          UUID   NOT NULL PRIMARY KEY,
    url         TEXT   NOT NULL,
    url_key     TEXT   NOT NULL UNIQUE,
    title       TEXT   NOT NULL,
    title_key   TEXT   NOT NULL,
    description TEXT   NOT NULL,
    status      TEXT   NOT NULL CHECK (status IN ('live', 'removed')),
    version     BIGINT NOT NULL,
    popularity  BIGINT NOT NULL,
    added_by    UUID   REFERENCES members (id) ON DELETE SET NULL,
    added_at    BIGINT NOT NULL,
    changed_at  BIGINT NOT NULL
);
CREATE INDEX resources_by_age ON resources (status, added_at, id);
CREATE INDEX resources_by_popularity ON resources (status, popularity, id);
CREATE INDEX resources_by_title ON resources (status, title_key, id);

CREATE TABLE placements (
    resource_id UUID   NOT NULL REFERENCES resources (id) ON DELETE CASCADE,
    category_id UUID   NOT NULL REFERENCES categories (id) ON DELETE CASCADE,
    position    BIGINT NOT NULL,
    PRIMARY KEY (resource_id, category_id)
);
CREATE INDEX placements_by_category ON placements (category_id, position);

CREATE TABLE tags (
    slug       TEXT   NOT NULL PRIMARY KEY,
    label      TEXT   NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE resource_tags (
    resource_id UUID NOT NULL REFERENCES resources (id) ON DELETE CASCADE,
    tag         TEXT NOT NULL REFERENCES tags (slug) ON DELETE CASCADE,
    PRIMARY KEY (resource_id, tag)
);
CREATE INDEX resource_tags_by_tag ON resource_tags (tag, resource_id);

CREATE TABLE collections (
    id          UUID    NOT NULL PRIMARY KEY,
    member_id   UUID    NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    title       TEXT    NOT NULL,
    description TEXT    NOT NULL,
    public      BOOLEAN NOT NULL,
    created_at  BIGINT  NOT NULL,
    changed_at  BIGINT  NOT NULL
);
CREATE INDEX collections_by_member ON collections (member_id, id);

CREATE TABLE collection_items (
    collection_id UUID   NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
    resource_id   UUID   NOT NULL REFERENCES resources (id) ON DELETE CASCADE,
    position      BIGINT NOT NULL,
    added_at      BIGINT NOT NULL,
    PRIMARY KEY (collection_id, resource_id)
);
CREATE INDEX collection_items_by_resource ON collection_items (resource_id);

-- `changes` and `before` are JSON of catalog::Changes; `hot` and `controversy` are sort keys that a vote recomputes.
CREATE TABLE suggestions (
    id               UUID             NOT NULL PRIMARY KEY,
    kind             TEXT             NOT NULL CHECK (kind IN ('add', 'edit', 'move', 'remove')),
    status           TEXT             NOT NULL
        CHECK (status IN ('open', 'approving', 'approved', 'rejected', 'withdrawn', 'conflict')),
    author_id        UUID             NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    resource_id      UUID             REFERENCES resources (id) ON DELETE CASCADE,
    base_version     BIGINT,
    url_key          TEXT,
    changes          TEXT             NOT NULL,
    before           TEXT             NOT NULL,
    reason           TEXT             NOT NULL,
    evidence         TEXT,
    up               BIGINT           NOT NULL,
    down             BIGINT           NOT NULL,
    score            BIGINT           NOT NULL,
    version          BIGINT           NOT NULL,
    hot              DOUBLE PRECISION NOT NULL,
    controversy      DOUBLE PRECISION NOT NULL,
    objection        TEXT,
    objection_by     UUID             REFERENCES members (id) ON DELETE SET NULL,
    opened_at        BIGINT           NOT NULL,
    approving_until  BIGINT,
    decided_at       BIGINT,
    decided_by       UUID             REFERENCES members (id) ON DELETE SET NULL,
    decision_reason  TEXT
);
CREATE INDEX suggestions_by_age ON suggestions (status, id);
CREATE INDEX suggestions_by_hot ON suggestions (status, hot, id);
CREATE INDEX suggestions_by_score ON suggestions (status, score, id);
CREATE INDEX suggestions_by_controversy ON suggestions (status, controversy, id);
CREATE INDEX suggestions_by_author ON suggestions (author_id, id);
CREATE INDEX suggestions_by_resource ON suggestions (resource_id, status);
CREATE INDEX suggestions_by_url ON suggestions (url_key, status);

-- `origin` is a keyed hash of the voter's network, kept to see whether one address alone carries a suggestion.
CREATE TABLE votes (
    suggestion_id UUID    NOT NULL REFERENCES suggestions (id) ON DELETE CASCADE,
    member_id     UUID    NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    value         BIGINT  NOT NULL CHECK (value IN (-1, 1)),
    void          BOOLEAN NOT NULL,
    origin        TEXT,
    cast_at       BIGINT  NOT NULL,
    PRIMARY KEY (suggestion_id, member_id)
);
CREATE INDEX votes_by_member ON votes (member_id);

CREATE TABLE comments (
    id            UUID   NOT NULL PRIMARY KEY,
    suggestion_id UUID   NOT NULL REFERENCES suggestions (id) ON DELETE CASCADE,
    member_id     UUID   NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    body          TEXT   NOT NULL,
    created_at    BIGINT NOT NULL
);
CREATE INDEX comments_by_suggestion ON comments (suggestion_id, id);

-- The public log: every change of state, for ever.
CREATE TABLE log (
    id            UUID   NOT NULL PRIMARY KEY,
    at            BIGINT NOT NULL,
    actor         TEXT   NOT NULL CHECK (actor IN ('member', 'rule', 'system')),
    member_id     UUID   REFERENCES members (id) ON DELETE SET NULL,
    action        TEXT   NOT NULL,
    suggestion_id UUID   REFERENCES suggestions (id) ON DELETE SET NULL,
    resource_id   UUID   REFERENCES resources (id) ON DELETE SET NULL,
    rule          TEXT,
    standing      TEXT,
    before        TEXT,
    after         TEXT,
    reason        TEXT
);
CREATE INDEX log_by_suggestion ON log (suggestion_id, id);
CREATE INDEX log_by_resource ON log (resource_id, id);

-- `state` is JSON of store::ResourceState; `undo` takes the change back in the documents of lists.
CREATE TABLE resource_versions (
    resource_id UUID   NOT NULL REFERENCES resources (id) ON DELETE CASCADE,
    version     BIGINT NOT NULL,
    at          BIGINT NOT NULL,
    log_id      UUID   REFERENCES log (id) ON DELETE SET NULL,
    state       TEXT   NOT NULL,
    undo        TEXT,
    PRIMARY KEY (resource_id, version)
);

CREATE TABLE notices (
    member_id  UUID   NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    seq        BIGINT NOT NULL,
    kind       TEXT   NOT NULL,
    event_key  TEXT   NOT NULL,
    payload    TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    read_at    BIGINT,
    PRIMARY KEY (member_id, seq),
    UNIQUE (member_id, event_key)
);
CREATE INDEX notices_unread ON notices (member_id, seq) WHERE read_at IS NULL;

CREATE TABLE notice_preferences (
    member_id UUID    NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    kind      TEXT    NOT NULL,
    inbox     BOOLEAN NOT NULL,
    email     TEXT    NOT NULL CHECK (email IN ('off', 'instant', 'digest')),
    PRIMARY KEY (member_id, kind)
);

CREATE TABLE watches (
    member_id  UUID   NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    kind       TEXT   NOT NULL CHECK (kind IN ('resource', 'category', 'suggestion')),
    target_id  UUID   NOT NULL,
    level      TEXT   NOT NULL CHECK (level IN ('muted', 'normal', 'watching')),
    created_at BIGINT NOT NULL,
    PRIMARY KEY (member_id, kind, target_id)
);
CREATE INDEX watches_by_target ON watches (kind, target_id);

CREATE TABLE api_keys (
    id           UUID   NOT NULL PRIMARY KEY,
    member_id    UUID   NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    name         TEXT   NOT NULL,
    token_hash   TEXT   NOT NULL UNIQUE,
    scopes       TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    last_used_at BIGINT,
    revoked_at   BIGINT
);

-- Replies kept for requests that carried an Idempotency-Key; `status` is null while the first one is still running.
CREATE TABLE idempotency (
    key          TEXT   NOT NULL PRIMARY KEY,
    fingerprint  TEXT   NOT NULL,
    status       BIGINT,
    content_type TEXT,
    body         BYTEA,
    created_at   BIGINT NOT NULL
);
CREATE INDEX idempotency_by_age ON idempotency (created_at);

-- Counts per resource and day (days since 1970); no personal data.
CREATE TABLE resource_days (
    resource_id UUID   NOT NULL REFERENCES resources (id) ON DELETE CASCADE,
    day         BIGINT NOT NULL,
    views       BIGINT NOT NULL,
    saves       BIGINT NOT NULL,
    votes       BIGINT NOT NULL,
    PRIMARY KEY (resource_id, day)
);
CREATE INDEX resource_days_by_day ON resource_days (day);

-- Mails on their way, one per message key however often the job is retried.
CREATE TABLE mails (
    id          UUID   NOT NULL PRIMARY KEY,
    message_key TEXT   NOT NULL UNIQUE,
    recipient   TEXT   NOT NULL,
    subject     TEXT   NOT NULL,
    body        TEXT   NOT NULL,
    html        TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    sent_at     BIGINT
);
