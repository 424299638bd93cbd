-- The record of human actions is chained: each row carries a hash over itself and the hash of the row before. Rows
-- from before this step get theirs when the program next opens the file; until then the hash is empty.
ALTER TABLE audit ADD COLUMN hash TEXT;
CREATE INDEX audit_unchained ON audit (id) WHERE hash IS NULL;
CREATE INDEX audit_action ON audit (action, id);
CREATE INDEX audit_subject ON audit (subject, id);
CREATE INDEX audit_at ON audit (at);

-- Who, what, to whom, and every value in the details, without marks; đ is a letter of its own to the tokenizer.
CREATE VIRTUAL TABLE audit_search USING fts5 (text, content='', prefix='2 3 4', tokenize="unicode61 remove_diacritics 2 tokenchars '@._-'");
CREATE VIEW audit_text AS
  SELECT id, replace(replace(actor || ' ' || action || ' ' || subject || ' ' ||
           coalesce((SELECT group_concat(atom, ' ') FROM json_tree(data) WHERE atom IS NOT NULL), ''), 'đ', 'd'), 'Đ', 'D') AS text
    FROM audit;
INSERT INTO audit_search (rowid, text) SELECT id, text FROM audit_text;
CREATE TRIGGER audit_search_new AFTER INSERT ON audit BEGIN
  INSERT INTO audit_search (rowid, text) SELECT id, text FROM audit_text WHERE id = NEW.id;
END;

-- Rows are added and nothing else.
CREATE TRIGGER audit_chained BEFORE INSERT ON audit WHEN NEW.hash IS NULL BEGIN
  SELECT RAISE(ABORT, 'audit rows carry a hash');
END;
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
  WHEN OLD.hash IS NOT NULL OR NEW.id <> OLD.id OR NEW.at <> OLD.at OR NEW.actor <> OLD.actor OR NEW.action <> OLD.action
    OR NEW.subject <> OLD.subject OR NEW.data <> OLD.data BEGIN
  SELECT RAISE(ABORT, 'audit rows are never changed');
END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN
  SELECT RAISE(ABORT, 'audit rows are never removed');
END;

-- How old each key is: names and times, never a value.
CREATE TABLE secret_age (
  name       TEXT    PRIMARY KEY,
  set_at     INTEGER NOT NULL,                       -- first set, or first seen
  changed_at INTEGER NOT NULL,                       -- the value in use is this old
  exact      INTEGER NOT NULL,                       -- 0 = only first seen then; it may be older
  by         TEXT    NOT NULL                        -- owner | cli | system
) STRICT, WITHOUT ROWID;

-- The owner was reminded of a key of that age.
CREATE TABLE key_reminder (
  key        TEXT    PRIMARY KEY,
  changed_at INTEGER NOT NULL,
  at         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
