-- Workers on other machines: who may be one, what they asked, what they brought.

-- A worker's key is the secret worker.NAME in the secret store; here is only that there is one.
CREATE TABLE worker_key (
  name           TEXT    PRIMARY KEY,
  key_id         TEXT    NOT NULL,                   -- changes with each new key
  created_at     INTEGER NOT NULL,
  previous_until INTEGER,                            -- until when the key before the last rotation is good
  revoked_at     INTEGER,
  seen_at        INTEGER                             -- last signed request
) STRICT;

-- Signed requests by their webhook-id: the same one again is answered the same and does nothing. Those that changed
-- nothing lasting are forgotten once their timestamp is too old to be taken.
CREATE TABLE worker_call (
  worker         TEXT    NOT NULL,
  id             TEXT    NOT NULL,
  at             INTEGER NOT NULL,
  request_sha256 TEXT    NOT NULL,
  outcome        TEXT    NOT NULL,                   -- JSON; never a secret
  lasting        INTEGER NOT NULL,
  PRIMARY KEY (worker, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX worker_call_passing ON worker_call (at) WHERE lasting = 0;

-- What a worker says it has brought for the stage fetch. Nothing of it is believed before it was read and hashed.
CREATE TABLE worker_result (
  task_id     INTEGER PRIMARY KEY REFERENCES task (id),
  epoch       INTEGER NOT NULL,
  worker      TEXT    NOT NULL,
  folder      TEXT    NOT NULL,
  files       TEXT    NOT NULL,                      -- JSON [{path, size, sha256}]
  accepted_at INTEGER NOT NULL,
  received_at INTEGER,                               -- read, hashed, equal
  rejected_at INTEGER                                -- missing or different: the stage is run again
) STRICT;
