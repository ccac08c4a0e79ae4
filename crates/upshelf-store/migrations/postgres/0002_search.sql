-- Folded text (lower case, no accents; see fold.rs) with its index of words.
CREATE TABLE resource_texts (
    resource_id UUID NOT NULL PRIMARY KEY REFERENCES resources (id) ON DELETE CASCADE,
    title       TEXT COLLATE "C" NOT NULL,
    body        TEXT NOT NULL,
    words       TSVECTOR NOT NULL GENERATED ALWAYS AS (
        setweight(to_tsvector('simple', title), 'A') || setweight(to_tsvector('simple', body), 'D')
    ) STORED
);
CREATE INDEX resource_texts_by_title ON resource_texts (title);
-- Without fastupdate, because every search would read through what an import left to be merged later.
CREATE INDEX resource_texts_words ON resource_texts USING gin (words) WITH (fastupdate = off);

-- Every word of the texts once: where search looks for what somebody may have meant. A word that no text has any more
-- does no harm; `upshelf doctor --repair` removes it.
CREATE TABLE search_words (
    word TEXT COLLATE "C" NOT NULL PRIMARY KEY
);
