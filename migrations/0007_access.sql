-- Access that buyers have at other systems, and the services through which it is given.

-- A service that was ever paused, left alone or metered; one without a row is open.
CREATE TABLE service (
  name          TEXT    PRIMARY KEY,                 -- drive, drive_upload, drive_sharing, smtp, rclone, lms:NAME, source:HOST
  state         TEXT    NOT NULL DEFAULT 'open' CHECK (state IN ('open','parked','broken')),
  since         INTEGER,                             -- when it left 'open'
  until         INTEGER,                             -- tried again then; NULL = when something changes
  code          TEXT,                                -- why, for the words
  detail        TEXT,
  strikes       INTEGER NOT NULL DEFAULT 0,          -- times in a row that it was left alone
  paused_at     INTEGER,                             -- by the owner
  paused_until  INTEGER,                             -- resumes by itself; NULL = until resumed
  paused_reason TEXT,
  next_at       INTEGER NOT NULL DEFAULT 0,          -- when the pace allows the next call, those reserved counted
  day_from      INTEGER NOT NULL DEFAULT 0,          -- start of the day that is being counted
  day_count     INTEGER NOT NULL DEFAULT 0           -- calls of that day, those reserved counted
) STRICT, WITHOUT ROWID;

-- Who has access to what, one row a course of an order. The outside permission lives as long as one row of its
-- resource and address does.
CREATE TABLE access_grant (
  id            INTEGER PRIMARY KEY,
  order_id      INTEGER NOT NULL REFERENCES orders (id),
  order_item_id INTEGER NOT NULL REFERENCES order_item (id),
  course_id     INTEGER NOT NULL REFERENCES course (id),
  version       INTEGER NOT NULL,
  kind          TEXT    NOT NULL CHECK (kind IN ('drive')),
  resource      TEXT    NOT NULL,                    -- the folder's id
  email         TEXT    NOT NULL,
  email_key     TEXT    NOT NULL,                    -- lower case
  permission_id TEXT,                                -- the other side's id of it
  link          TEXT,                                -- where the buyer opens it
  state         TEXT    NOT NULL CHECK (state IN ('intent','granted','revoking','revoked')),
  why           TEXT,                                -- refunded | cancelled | expired | moved, of a grant that ends
  expires_at    INTEGER,                             -- NULL = never
  created_at    INTEGER NOT NULL,
  granted_at    INTEGER,
  revoked_at    INTEGER
) STRICT;
CREATE INDEX access_grant_order   ON access_grant (order_id, id);
CREATE UNIQUE INDEX access_grant_living ON access_grant (order_item_id, kind, resource, email_key) WHERE state IN ('intent','granted');
CREATE INDEX access_grant_shared  ON access_grant (resource, email_key, kind) WHERE state <> 'revoked';
CREATE INDEX access_grant_expiry  ON access_grant (expires_at) WHERE state = 'granted' AND expires_at IS NOT NULL;

-- Deliveries that were stopped as a whole because the mail server refused the login: the service stops instead.
INSERT INTO service (name, state, since, code)
  SELECT 'smtp', 'parked', paused_at, 'mail_auth' FROM lane WHERE name = 'order' AND paused_at IS NOT NULL AND reason = 'mail_auth';
UPDATE lane SET paused_at = NULL, until = NULL, reason = NULL WHERE name = 'order' AND paused_at IS NOT NULL AND reason = 'mail_auth';
