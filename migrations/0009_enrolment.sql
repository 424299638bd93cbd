-- Who was made a student of what, where, for which bought course. A row is intent before the platform is asked and fact
-- after; it stays when access was taken back. Two orders of one buyer may stand for one place at a platform: the place is
-- given up with the last of them, and only when we gave it.
CREATE TABLE enrolment (
  id            INTEGER PRIMARY KEY,
  order_item_id INTEGER NOT NULL REFERENCES order_item (id),
  task_id       INTEGER NOT NULL REFERENCES task (id),   -- that works with it, or did last
  recipe        TEXT    NOT NULL,
  host          TEXT    NOT NULL,
  course_ref    TEXT    NOT NULL,
  email         TEXT    NOT NULL,                        -- the address that was enrolled
  email_key     TEXT    NOT NULL,
  spec          TEXT    NOT NULL,                        -- JSON, the course's enrolment as it was then; secrets by name
  account       TEXT    NOT NULL DEFAULT '{}',           -- JSON, the platform's ids
  learn_url     TEXT,
  state         TEXT    NOT NULL CHECK (state IN ('intent','enrolled','revoking','revoked')),
  given         INTEGER NOT NULL DEFAULT 0,              -- 1 = the platform was asked to enrol; 0 = they were there already
  until_at      INTEGER,                                 -- when access ends; NULL = never
  intent_at     INTEGER NOT NULL,
  enrolled_at   INTEGER,
  revoked_at    INTEGER
) STRICT;
CREATE UNIQUE INDEX enrolment_item ON enrolment (order_item_id, host, course_ref, email_key);
CREATE INDEX enrolment_place ON enrolment (host, email_key, course_ref);
