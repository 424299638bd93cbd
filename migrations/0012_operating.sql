-- What each channel has told the owner of a notice; `sent_at` of a channel that has told nothing yet is absent.
CREATE TABLE notice_channel (
  notice_id INTEGER NOT NULL REFERENCES notice (id),
  channel   TEXT    NOT NULL CHECK (channel IN ('desktop','telegram','webhook','mail')),
  sent      INTEGER NOT NULL,                        -- how often
  sent_at   INTEGER NOT NULL,                        -- the last time
  PRIMARY KEY (notice_id, channel)
) STRICT, WITHOUT ROWID;
INSERT INTO notice_channel SELECT id, 'desktop', shown, shown_at FROM notice WHERE shown_at IS NOT NULL;

-- Copies that were made of the shop, and those that failed. The files themselves lie in a folder.
CREATE TABLE backup_run (
  id       INTEGER PRIMARY KEY,
  cause    TEXT    NOT NULL CHECK (cause IN ('first','timer','owner','command')),
  at       INTEGER NOT NULL,
  took_ms  INTEGER NOT NULL DEFAULT 0,
  file     TEXT,                                     -- name in the folder, or path of the command line
  bytes    INTEGER,
  code     TEXT,                                     -- why it failed; NULL = it is fine
  detail   TEXT
) STRICT;
