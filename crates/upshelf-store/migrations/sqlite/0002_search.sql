-- Folded text (lower case, no accents; see search.rs) with its index of words and its index of trigrams.
CREATE TABLE resource_texts (
    id          INTEGER PRIMARY KEY,
    resource_id BLOB NOT NULL UNIQUE REFERENCES resources (id) ON DELETE CASCADE,
    title       TEXT NOT NULL,
    body        TEXT NOT NULL
) STRICT;

CREATE VIRTUAL TABLE resource_words USING fts5 (
    title, body, content = 'resource_texts', content_rowid = 'id', tokenize = 'unicode61', prefix = '1 2 3'
);
CREATE VIRTUAL TABLE resource_trigrams USING fts5 (
    title, body, content = 'resource_texts', content_rowid = 'id', tokenize = 'trigram', detail = 'none'
);

CREATE TRIGGER resource_texts_added AFTER INSERT ON resource_texts BEGIN
    INSERT INTO resource_words (rowid, title, body) VALUES (new.id, new.title, new.body);
    INSERT INTO resource_trigrams (rowid, title, body) VALUES (new.id, new.title, new.body);
END;
CREATE TRIGGER resource_texts_removed AFTER DELETE ON resource_texts BEGIN
    INSERT INTO resource_words (resource_words, rowid, title, body) VALUES ('delete', old.id, old.title, old.body);
    INSERT INTO resource_trigrams (resource_trigrams, rowid, title, body)
    VALUES ('delete', old.id, old.title, old.body);
END;
CREATE TRIGGER resource_texts_changed AFTER UPDATE ON resource_texts BEGIN
    INSERT INTO resource_words (resource_words, rowid, title, body) VALUES ('delete', old.id, old.title, old.body);
    INSERT INTO resource_trigrams (resource_trigrams, rowid, title, body)
    VALUES ('delete', old.id, old.title, old.body);
    INSERT INTO resource_words (rowid, title, body) VALUES (new.id, new.title, new.body);
    INSERT INTO resource_trigrams (rowid, title, body) VALUES (new.id, new.title, new.body);
END;
