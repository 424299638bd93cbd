-- Reconciliation: what SePay's transaction API was asked, what it listed, and where that differs from our books.

-- How far the list has been read. One row.
CREATE TABLE reconcile_cursor (
  one      INTEGER PRIMARY KEY CHECK (one = 1),
  last_id  INTEGER NOT NULL DEFAULT 0,               -- highest id up to which everything listed is taken in; 0 = nothing yet
  deep_at  INTEGER                                   -- when the last days were last read by date, ms
) STRICT;
INSERT INTO reconcile_cursor (one) VALUES (1);

CREATE TABLE reconcile_run (
  id         INTEGER PRIMARY KEY,
  cause      TEXT    NOT NULL CHECK (cause IN ('start','wake','timer','demand','tunnel')),
  state      TEXT    NOT NULL CHECK (state IN ('running','done','failed','stopped')),
  started_at INTEGER NOT NULL,
  ended_at   INTEGER,
  listed     INTEGER NOT NULL DEFAULT 0,             -- rows that SePay listed
  added      INTEGER NOT NULL DEFAULT 0,             -- transfers learnt of by this run
  added_vnd  INTEGER NOT NULL DEFAULT 0,             -- of those, money in
  unreadable INTEGER NOT NULL DEFAULT 0,             -- rows that say no whole amount or no id
  slept_ms   INTEGER NOT NULL DEFAULT 0,             -- how long the machine slept before it
  code       TEXT,                                   -- why it failed
  detail     TEXT
) STRICT;

-- What SePay lists, one row a SePay id.
CREATE TABLE sepay_listed (
  sepay_id    INTEGER PRIMARY KEY,
  account     TEXT    NOT NULL,
  bank        TEXT    NOT NULL,
  in_vnd      INTEGER NOT NULL CHECK (in_vnd >= 0),
  out_vnd     INTEGER NOT NULL CHECK (out_vnd >= 0),
  balance_vnd INTEGER,                               -- of the account after it; NULL when the bank says none
  reference   TEXT    NOT NULL,
  booked_at   INTEGER,
  listed_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX sepay_listed_account ON sepay_listed (account, booked_at);
CREATE INDEX sepay_listed_booked  ON sepay_listed (booked_at);

-- Ids under which SePay's list and our transfers hold different money; empty when all is well.
CREATE TABLE sepay_gap (
  sepay_id   INTEGER PRIMARY KEY,
  listed_vnd INTEGER NOT NULL,
  ours_vnd   INTEGER NOT NULL,
  since      INTEGER NOT NULL
) STRICT;

-- SePay's balance of each account, and how much of its change the listed rows do not explain.
CREATE TABLE sepay_account (
  account     TEXT    PRIMARY KEY,
  bank        TEXT    NOT NULL,
  balance_vnd INTEGER,
  gap_vnd     INTEGER,                               -- NULL when the bank gives no balances
  gap_runs    INTEGER NOT NULL DEFAULT 0,            -- checks in a row that found this same gap
  checked_at  INTEGER NOT NULL
) STRICT;
