-- The whole shop: people, courses, orders, money, tasks.
-- Times are integer milliseconds UTC; money is whole đồng; enumerations are CHECK lists that a test pins to the Rust enums.

-- ---------------------------------------------------------------- people and catalogue
CREATE TABLE customer (
  id           INTEGER PRIMARY KEY,
  email        TEXT    NOT NULL,
  email_key    TEXT    NOT NULL UNIQUE,              -- lower case: one buyer, however the address is typed
  name         TEXT    NOT NULL DEFAULT '',
  phone        TEXT,
  deposit_code TEXT    NOT NULL UNIQUE,              -- NAP + 7 of a vowel-free alphabet
  wallet_vnd   INTEGER NOT NULL DEFAULT 0 CHECK (wallet_vnd >= 0),
  created_at   INTEGER NOT NULL
) STRICT;

CREATE TABLE bank_account (
  id              INTEGER PRIMARY KEY,
  bank            TEXT    NOT NULL,                  -- SePay's short name
  bin             TEXT    NOT NULL,                  -- NAPAS BIN
  account         TEXT    NOT NULL,
  holder          TEXT    NOT NULL,
  virtual_account TEXT,                              -- shown in place of `account` where the bank needs one
  memo_prefix     TEXT,                              -- SEVQR for VietinBank
  preferred       INTEGER NOT NULL DEFAULT 0,        -- 1 on the account that new orders show
  created_at      INTEGER NOT NULL,
  UNIQUE (bank, account)
) STRICT;

CREATE TABLE course (
  id         INTEGER PRIMARY KEY,
  slug       TEXT    NOT NULL UNIQUE,
  title      TEXT    NOT NULL,
  price_vnd  INTEGER NOT NULL CHECK (price_vnd > 0),
  source     TEXT    NOT NULL,                       -- JSON {kind, …}
  target     TEXT    NOT NULL,                       -- JSON {kind, …}
  active     INTEGER NOT NULL DEFAULT 1,
  version    INTEGER NOT NULL DEFAULT 1,             -- grows when the source or target changes
  ready      INTEGER NOT NULL DEFAULT 0,             -- 1 when `version` is prepared
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE course_version (
  course_id INTEGER NOT NULL REFERENCES course (id),
  version   INTEGER NOT NULL,
  manifest  TEXT    NOT NULL,                        -- JSON [{path, size, sha256}]
  location  TEXT    NOT NULL,                        -- JSON, the target's own words
  bytes     INTEGER NOT NULL,
  ready_at  INTEGER NOT NULL,
  PRIMARY KEY (course_id, version)
) STRICT;

-- ---------------------------------------------------------------- orders
CREATE TABLE orders (
  id              INTEGER PRIMARY KEY,
  code            TEXT    NOT NULL UNIQUE,
  customer_id     INTEGER NOT NULL REFERENCES customer (id),
  stage           TEXT    NOT NULL CHECK (stage IN ('pending','paid','processing','completed','failed','expired','cancelled','refunded')),
  flags           INTEGER NOT NULL DEFAULT 0,        -- bits, see domain::order::Flags
  total_vnd       INTEGER NOT NULL CHECK (total_vnd > 0),
  paid_vnd        INTEGER NOT NULL DEFAULT 0 CHECK (paid_vnd >= 0),
  prio            INTEGER NOT NULL DEFAULT 2,        -- 0 most urgent … 3
  bank_account_id INTEGER REFERENCES bank_account (id),
  channel         TEXT    NOT NULL,                  -- storefront | owner | import
  note            TEXT    NOT NULL DEFAULT '',
  summary         TEXT    NOT NULL,                  -- course titles, for lists
  created_at      INTEGER NOT NULL,
  expires_at      INTEGER NOT NULL,
  paid_at         INTEGER,
  completed_at    INTEGER
) STRICT;
CREATE INDEX orders_stage   ON orders (stage, id);
CREATE INDEX orders_flagged ON orders (id) WHERE flags <> 0;
CREATE INDEX orders_expiry  ON orders (expires_at) WHERE stage = 'pending';
CREATE INDEX orders_buyer   ON orders (customer_id, id);
CREATE INDEX orders_total   ON orders (total_vnd, id);
CREATE INDEX orders_amount  ON orders (total_vnd, id) WHERE stage = 'pending';
-- Folded text (code, name, e-mail, phone, titles); rowid is orders.id.
CREATE VIRTUAL TABLE order_search USING fts5 (text, content='', contentless_delete=1, prefix='2 3 4', tokenize="unicode61 remove_diacritics 0 tokenchars '@._-'");

CREATE TABLE order_item (
  id        INTEGER PRIMARY KEY,
  order_id  INTEGER NOT NULL REFERENCES orders (id),
  course_id INTEGER NOT NULL REFERENCES course (id),
  version   INTEGER,                                 -- the version that was delivered
  price_vnd INTEGER NOT NULL,
  delivery  TEXT    NOT NULL DEFAULT 'waiting' CHECK (delivery IN ('waiting','preparing','sharing','delivered','failed','revoked')),
  link      TEXT,
  UNIQUE (order_id, course_id)
) STRICT;
CREATE INDEX order_item_course ON order_item (course_id, order_id);

-- A download link of the local-folder target. The token is signed; the row counts and revokes.
CREATE TABLE link (
  id            INTEGER PRIMARY KEY,
  order_item_id INTEGER NOT NULL REFERENCES order_item (id),
  course_id     INTEGER NOT NULL,
  version       INTEGER NOT NULL,
  created_at    INTEGER NOT NULL,
  expires_at    INTEGER NOT NULL,
  max_downloads INTEGER NOT NULL,
  downloads     INTEGER NOT NULL DEFAULT 0,
  revoked_at    INTEGER,
  UNIQUE (order_item_id, version)
) STRICT;

CREATE TABLE timeline (
  id       INTEGER PRIMARY KEY,
  order_id INTEGER NOT NULL REFERENCES orders (id),
  at       INTEGER NOT NULL,
  kind     TEXT    NOT NULL,                         -- see domain::timeline
  data     TEXT    NOT NULL DEFAULT '{}',
  actor    TEXT    NOT NULL DEFAULT 'system' CHECK (actor IN ('system','owner','storefront'))
) STRICT;
CREATE INDEX timeline_order ON timeline (order_id, id);

-- ---------------------------------------------------------------- money in
-- What SePay sent, one row per SePay id for ever.
CREATE TABLE sepay_event (
  sepay_id    INTEGER PRIMARY KEY,
  source      TEXT    NOT NULL CHECK (source IN ('webhook','reconcile','manual')),
  received_at INTEGER NOT NULL,
  body        TEXT    NOT NULL,
  body_sha256 TEXT    NOT NULL,
  outcome     TEXT    NOT NULL CHECK (outcome IN ('paid','credited','partial','overpaid','late','unmatched','ignored')),
  repeats     INTEGER NOT NULL DEFAULT 0,
  other_body  TEXT                                   -- the first different body under the same id
) STRICT;

CREATE TABLE transfer (
  id           INTEGER PRIMARY KEY,
  sepay_id     INTEGER NOT NULL UNIQUE REFERENCES sepay_event (sepay_id),
  direction    TEXT    NOT NULL CHECK (direction IN ('in','out')),
  amount_vnd   INTEGER NOT NULL CHECK (amount_vnd >= 0),
  gateway      TEXT    NOT NULL DEFAULT '',
  account      TEXT    NOT NULL DEFAULT '',
  sub_account  TEXT    NOT NULL DEFAULT '',
  code         TEXT    NOT NULL DEFAULT '',
  content      TEXT    NOT NULL DEFAULT '',
  description  TEXT    NOT NULL DEFAULT '',
  reference    TEXT    NOT NULL DEFAULT '',
  booked_at    INTEGER,
  accumulated  INTEGER,
  state        TEXT    NOT NULL CHECK (state IN ('order','wallet','unmatched','set_aside','ignored')),
  reason       TEXT,                                 -- why unmatched or ignored
  level        TEXT,                                 -- exact | spaced | embedded | code_field | manual
  order_id     INTEGER REFERENCES orders (id),
  customer_id  INTEGER REFERENCES customer (id),
  received_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX transfer_state ON transfer (state, id);
CREATE INDEX transfer_order ON transfer (order_id) WHERE order_id IS NOT NULL;

-- One row per movement; debit and credit name accounts: bank, unmatched, set_aside, order:ID, wallet:ID.
CREATE TABLE ledger (
  id          INTEGER PRIMARY KEY,
  at          INTEGER NOT NULL,
  debit       TEXT    NOT NULL,
  credit      TEXT    NOT NULL CHECK (credit <> debit),
  amount_vnd  INTEGER NOT NULL CHECK (amount_vnd > 0),
  transfer_id INTEGER REFERENCES transfer (id),
  reason      TEXT    NOT NULL,
  prev_hash   TEXT    NOT NULL,
  hash        TEXT    NOT NULL
) STRICT;
CREATE INDEX ledger_credit ON ledger (credit);
CREATE INDEX ledger_debit  ON ledger (debit) WHERE debit <> 'bank';
CREATE TRIGGER ledger_no_update BEFORE UPDATE ON ledger BEGIN SELECT RAISE (ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER ledger_no_delete BEFORE DELETE ON ledger BEGIN SELECT RAISE (ABORT, 'the ledger is append-only'); END;

-- Cached totals of the ledger; customer.wallet_vnd and orders.paid_vnd are the cached balances of single accounts.
CREATE TABLE bucket (
  name        TEXT    PRIMARY KEY CHECK (name IN ('in','orders','wallets','unmatched','set_aside')),
  balance_vnd INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO bucket (name) VALUES ('in'),('orders'),('wallets'),('unmatched'),('set_aside');

-- Roll-ups for the Overview, one row per hour (hour = ms / 3600000).
CREATE TABLE hour_stat (
  hour        INTEGER PRIMARY KEY,
  in_vnd      INTEGER NOT NULL DEFAULT 0,
  transfers   INTEGER NOT NULL DEFAULT 0,
  paid        INTEGER NOT NULL DEFAULT 0,
  topups      INTEGER NOT NULL DEFAULT 0,
  completed   INTEGER NOT NULL DEFAULT 0,
  failed      INTEGER NOT NULL DEFAULT 0
) STRICT;

-- ---------------------------------------------------------------- the queue
CREATE TABLE task (
  id             INTEGER PRIMARY KEY,
  kind           TEXT    NOT NULL CHECK (kind IN ('prepare_course','deliver_order','notify_owner')),
  lane           TEXT    NOT NULL CHECK (lane IN ('course','order','owner')),
  prio           INTEGER NOT NULL DEFAULT 2,
  state          TEXT    NOT NULL CHECK (state IN ('scheduled','ready','running','done','failed','cancelled')),
  stage          TEXT    NOT NULL,                   -- the stage to run next, or being run
  run_at         INTEGER NOT NULL,                   -- for 'scheduled'
  waits_on       TEXT,                               -- for 'scheduled' without a time: the dedupe key of the task it waits for
  attempt        INTEGER NOT NULL DEFAULT 0,         -- attempts burnt since the last retry by hand
  max_attempt    INTEGER NOT NULL,
  lease_epoch    INTEGER NOT NULL DEFAULT 0,         -- fencing token; only ever grows
  lease_owner    TEXT,                               -- boot id
  lease_until    INTEGER,
  reclaims       INTEGER NOT NULL DEFAULT 0,         -- times in a row that the app died under it
  dedupe_key     TEXT,
  order_id       INTEGER REFERENCES orders (id),
  course_id      INTEGER REFERENCES course (id),
  course_version INTEGER,
  payload        TEXT    NOT NULL DEFAULT '{}',
  err_class      TEXT,                               -- transient | permanent | crashed | hung
  err_code       TEXT,
  err_group      TEXT,                               -- kind:stage:code, one cause
  err_detail     TEXT,
  created_at     INTEGER NOT NULL,
  started_at     INTEGER,
  finished_at    INTEGER
) STRICT;
CREATE INDEX task_ready  ON task (lane, prio, id) WHERE state = 'ready';
CREATE INDEX task_old    ON task (lane, id)       WHERE state = 'ready';
CREATE INDEX task_due    ON task (run_at)         WHERE state = 'scheduled';
CREATE INDEX task_waits  ON task (waits_on)       WHERE state = 'scheduled' AND waits_on IS NOT NULL;
CREATE INDEX task_lease  ON task (lease_until)    WHERE state = 'running';
CREATE INDEX task_failed ON task (err_group, id, finished_at, created_at, order_id, course_id, dedupe_key) WHERE state = 'failed';
CREATE INDEX task_retry  ON task (id)             WHERE state = 'scheduled' AND attempt > 0;
CREATE INDEX task_order  ON task (order_id, id)   WHERE order_id IS NOT NULL;
CREATE INDEX task_course ON task (course_id, id)  WHERE course_id IS NOT NULL;
CREATE INDEX task_gone   ON task (id)             WHERE state = 'cancelled';
CREATE INDEX task_rare   ON task (lane, id)       WHERE lane <> 'order';
CREATE UNIQUE INDEX task_dedupe ON task (dedupe_key) WHERE dedupe_key IS NOT NULL AND state NOT IN ('done','failed','cancelled');

-- Checkpoints: a row here means the stage is finished and will not be run again unless the owner says so.
CREATE TABLE task_stage (
  task_id INTEGER NOT NULL REFERENCES task (id),
  stage   TEXT    NOT NULL,
  epoch   INTEGER NOT NULL,
  ended   INTEGER NOT NULL,
  output  TEXT    NOT NULL DEFAULT '{}',
  PRIMARY KEY (task_id, stage)
) STRICT, WITHOUT ROWID;

-- Attempts that did not succeed, for the task's page.
CREATE TABLE attempt (
  id      INTEGER PRIMARY KEY,
  task_id INTEGER NOT NULL REFERENCES task (id),
  stage   TEXT    NOT NULL,
  epoch   INTEGER NOT NULL,
  started INTEGER NOT NULL,
  ended   INTEGER NOT NULL,
  err_class TEXT  NOT NULL,
  err_code  TEXT  NOT NULL,
  detail    TEXT  NOT NULL
) STRICT;
CREATE INDEX attempt_task ON attempt (task_id, id);

-- External effects: intent before, fact after. done_at NULL after a crash means "verify, do not repeat blindly".
CREATE TABLE effect (
  key       TEXT    PRIMARY KEY,
  task_id   INTEGER NOT NULL REFERENCES task (id),
  stage     TEXT    NOT NULL,
  intent_at INTEGER NOT NULL,
  done_at   INTEGER,
  reference TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE lane (
  name      TEXT PRIMARY KEY CHECK (name IN ('course','order','owner')),
  paused_at INTEGER,
  until     INTEGER,                                 -- resumes by itself; NULL = until resumed
  reason    TEXT
) STRICT;
INSERT INTO lane (name) VALUES ('course'),('order'),('owner');

-- Counts that lists and the Overview show without scanning; kept by the triggers below.
CREATE TABLE tally (
  name TEXT    PRIMARY KEY,                          -- order:STAGE, task:LANE:STATE
  n    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO tally SELECT 'order:' || column1, 0 FROM (VALUES ('pending'),('paid'),('processing'),('completed'),('failed'),('expired'),('cancelled'),('refunded'));
INSERT INTO tally SELECT 'task:' || l.column1 || ':' || s.column1, 0
  FROM (VALUES ('course'),('order'),('owner')) l, (VALUES ('scheduled'),('ready'),('running'),('done'),('failed'),('cancelled')) s;
CREATE TRIGGER tally_order_new AFTER INSERT ON orders BEGIN
  UPDATE tally SET n = n + 1 WHERE name = 'order:' || NEW.stage;
END;
CREATE TRIGGER tally_order_move AFTER UPDATE OF stage ON orders WHEN OLD.stage <> NEW.stage BEGIN
  UPDATE tally SET n = n - 1 WHERE name = 'order:' || OLD.stage;
  UPDATE tally SET n = n + 1 WHERE name = 'order:' || NEW.stage;
END;
CREATE TRIGGER tally_task_new AFTER INSERT ON task BEGIN
  UPDATE tally SET n = n + 1 WHERE name = 'task:' || NEW.lane || ':' || NEW.state;
END;
CREATE TRIGGER tally_task_move AFTER UPDATE OF state ON task WHEN OLD.state <> NEW.state BEGIN
  UPDATE tally SET n = n - 1 WHERE name = 'task:' || OLD.lane || ':' || OLD.state;
  UPDATE tally SET n = n + 1 WHERE name = 'task:' || NEW.lane || ':' || NEW.state;
END;
-- sold:COURSE_ID, courses in buyers' hands.
CREATE TRIGGER tally_sold_new AFTER INSERT ON order_item WHEN NEW.delivery = 'delivered' BEGIN
  INSERT INTO tally (name, n) VALUES ('sold:' || NEW.course_id, 1) ON CONFLICT (name) DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER tally_sold_move AFTER UPDATE OF delivery ON order_item
  WHEN (OLD.delivery = 'delivered') <> (NEW.delivery = 'delivered') BEGIN
  INSERT INTO tally (name, n) VALUES ('sold:' || NEW.course_id, 0) ON CONFLICT (name) DO NOTHING;
  UPDATE tally SET n = n + CASE NEW.delivery WHEN 'delivered' THEN 1 ELSE -1 END WHERE name = 'sold:' || NEW.course_id;
END;

-- ---------------------------------------------------------------- telling people
-- The outbox. message_id is stable across retries and grows only when the owner sends again.
CREATE TABLE mail (
  id         INTEGER PRIMARY KEY,
  order_id   INTEGER REFERENCES orders (id),
  task_id    INTEGER REFERENCES task (id),
  message_id TEXT    NOT NULL UNIQUE,
  recipient  TEXT    NOT NULL,
  subject    TEXT    NOT NULL,
  state      TEXT    NOT NULL CHECK (state IN ('intent','sent')),
  created_at INTEGER NOT NULL,
  sent_at    INTEGER,
  reference  TEXT                                    -- the server's own id of the accepted message
) STRICT;
CREATE INDEX mail_order ON mail (order_id, id);

-- The in-app inbox: the truth that desktop notifications only point at.
CREATE TABLE notice (
  id         INTEGER PRIMARY KEY,
  class      INTEGER NOT NULL CHECK (class BETWEEN 1 AND 4),
  merge_key  TEXT    NOT NULL,
  kind       TEXT    NOT NULL,
  data       TEXT    NOT NULL DEFAULT '{}',
  count      INTEGER NOT NULL DEFAULT 1,
  first_at   INTEGER NOT NULL,
  last_at    INTEGER NOT NULL,
  shown_at   INTEGER,                                -- when the desktop last showed it
  shown      INTEGER NOT NULL DEFAULT 0,             -- how often
  state      TEXT    NOT NULL DEFAULT 'new' CHECK (state IN ('new','seen','resolved'))
) STRICT;
CREATE UNIQUE INDEX notice_open ON notice (merge_key) WHERE state <> 'resolved';

-- ---------------------------------------------------------------- keys and record of human actions
CREATE TABLE storefront_key (
  id         INTEGER PRIMARY KEY,
  name       TEXT    NOT NULL UNIQUE,
  key_sha256 TEXT    NOT NULL UNIQUE,
  scopes     TEXT    NOT NULL,
  created_at INTEGER NOT NULL,
  revoked_at INTEGER
) STRICT;

CREATE TABLE idempotency (
  scope        TEXT    NOT NULL,
  key          TEXT    NOT NULL,
  request_hash TEXT    NOT NULL,
  order_code   TEXT    NOT NULL,
  created_at   INTEGER NOT NULL,
  PRIMARY KEY (scope, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
  id      INTEGER PRIMARY KEY,
  at      INTEGER NOT NULL,
  actor   TEXT    NOT NULL,                          -- owner | storefront:NAME | cli
  action  TEXT    NOT NULL,
  subject TEXT    NOT NULL,
  data    TEXT    NOT NULL DEFAULT '{}'
) STRICT;
