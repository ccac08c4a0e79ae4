-- Folded text (lower case, no accents; see fold.rs) with its index of words.
CREATE TABLE resource_texts (
    id          INTEGER PRIMARY KEY,
    resource_id BLOB NOT NULL UNIQUE REFERENCES resources (id) ON DELETE CASCADE,
    title       TEXT NOT NULL,
    body        TEXT NOT NULL
) STRICT;
CREATE INDEX resource_texts_by_title ON resource_texts (title);

CREATE VIRTUAL TABLE resource_words USING fts5 (
    title, body, content = 'resource_texts', content_rowid = 'id', tokenize = 'unicode61', prefix = '1 2 3'
);

CREATE TRIGGER resource_texts_added AFTER INSERT ON resource_texts BEGIN
    INSERT INTO resource_words (rowid, title, body) VALUES (new.id, new.title, new.body);
END;
CREATE TRIGGER resource_texts_removed AFTER DELETE ON resource_texts BEGIN
    INSERT INTO resource_words (resource_words, rowid, title, body) VALUES ('delete', old.id, old.title, old.body);
END;
CREATE TRIGGER resource_texts_changed AFTER UPDATE ON resource_texts BEGIN
    INSERT INTO resource_words (resource_words, rowid, title, body) VALUES ('delete', old.id, old.title, old.body);
    INSERT INTO resource_words (rowid, title, body) VALUES (new.id, new.title, new.body);
END;

-- Every word of the texts once: where search looks for what somebody may have meant. A word that no text has any more
-- does no harm; `upshelf doctor --repair` removes it.
CREATE TABLE search_words (
    word TEXT NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;
