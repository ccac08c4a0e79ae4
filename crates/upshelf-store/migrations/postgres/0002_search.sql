-- Folded text (lower case, no accents; see search.rs) with its index of words and its index of trigrams.
CREATE EXTENSION IF NOT EXISTS pg_trgm;

CREATE TABLE resource_texts (
    resource_id UUID NOT NULL PRIMARY KEY REFERENCES resources (id) ON DELETE CASCADE,
    title       TEXT NOT NULL,
    body        TEXT NOT NULL,
    words       TSVECTOR NOT NULL GENERATED ALWAYS AS (
        setweight(to_tsvector('simple', title), 'A') || setweight(to_tsvector('simple', body), 'D')
    ) STORED
);
CREATE INDEX resource_texts_words ON resource_texts USING gin (words);
CREATE INDEX resource_texts_trigrams ON resource_texts USING gin (title gin_trgm_ops, body gin_trgm_ops);
