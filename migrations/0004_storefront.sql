-- Webhooks to storefronts. What happens to orders and wallets is written down by triggers, in the commit that causes
-- it, for each endpoint that wants it; without endpoints nothing is written.

CREATE TABLE webhook_endpoint (
  id              INTEGER PRIMARY KEY,
  name            TEXT    NOT NULL,                  -- its secret is webhook.NAME in the secret store
  url             TEXT    NOT NULL,
  events          TEXT    NOT NULL,                  -- '*', or words separated by spaces
  created_at      INTEGER NOT NULL,
  disabled_at     INTEGER,                           -- no more events from then on
  disabled_reason TEXT,                              -- gone (it answered 410) | owner
  removed_at      INTEGER
) STRICT;
CREATE UNIQUE INDEX webhook_endpoint_name ON webhook_endpoint (name) WHERE removed_at IS NULL;

-- One row for each event and endpoint. The id is the same over all attempts.
CREATE TABLE outgoing_event (
  id           INTEGER PRIMARY KEY,
  webhook_id   TEXT    NOT NULL UNIQUE DEFAULT ('msg_' || lower(hex(randomblob(16)))),
  endpoint_id  INTEGER NOT NULL REFERENCES webhook_endpoint (id),
  type         TEXT    NOT NULL CHECK (type IN ('order.paid','order.delivered','order.failed','order.refunded','wallet.credited','webhook.test')),
  at           INTEGER NOT NULL,
  data         TEXT    NOT NULL,                     -- JSON, as it was in that commit
  attempts     INTEGER NOT NULL DEFAULT 0,
  status       INTEGER,                              -- HTTP status of the last attempt; NULL when none came back
  delivered_at INTEGER
) STRICT;
CREATE INDEX outgoing_event_endpoint ON outgoing_event (endpoint_id, id);

-- Stages only ever change with a time beside them: the order's own, its timeline's or its ledger row's.
CREATE TRIGGER outgoing_order AFTER UPDATE OF stage ON orders
  WHEN OLD.stage <> NEW.stage
   AND (NEW.stage IN ('completed','failed','refunded')
        OR NEW.stage IN ('paid','processing') AND OLD.stage IN ('pending','expired','cancelled','refunded'))
   AND EXISTS (SELECT 1 FROM webhook_endpoint WHERE disabled_at IS NULL) BEGIN
  INSERT INTO outgoing_event (endpoint_id, type, at, data)
    SELECT e.id, t.type,
           max(NEW.created_at, coalesce(NEW.paid_at, 0), coalesce(NEW.completed_at, 0),
               coalesce((SELECT at FROM timeline WHERE order_id = NEW.id ORDER BY id DESC LIMIT 1), 0),
               coalesce((SELECT at FROM ledger WHERE debit = 'order:' || NEW.id AND debit <> 'bank' ORDER BY id DESC LIMIT 1), 0)),
           json_object('code', NEW.code, 'stage', CASE NEW.stage WHEN 'processing' THEN 'paid' ELSE NEW.stage END, 'flags', NEW.flags, 'total_vnd', NEW.total_vnd, 'paid_vnd', NEW.paid_vnd)
      FROM webhook_endpoint AS e,
           (SELECT CASE NEW.stage WHEN 'completed' THEN 'order.delivered' WHEN 'failed' THEN 'order.failed'
                                  WHEN 'refunded' THEN 'order.refunded' ELSE 'order.paid' END AS type) AS t
     WHERE e.disabled_at IS NULL AND (e.events = '*' OR instr(' ' || e.events || ' ', ' ' || t.type || ' ') > 0);
END;

CREATE TRIGGER outgoing_wallet AFTER INSERT ON ledger
  WHEN NEW.credit GLOB 'wallet:*' AND EXISTS (SELECT 1 FROM webhook_endpoint WHERE disabled_at IS NULL) BEGIN
  INSERT INTO outgoing_event (endpoint_id, type, at, data)
    SELECT e.id, 'wallet.credited', NEW.at,
           json_object('customer_id', c.id, 'deposit_code', c.deposit_code, 'amount_vnd', NEW.amount_vnd)
      FROM webhook_endpoint AS e, customer AS c
     WHERE c.id = CAST(substr(NEW.credit, 8) AS INTEGER)
       AND e.disabled_at IS NULL AND (e.events = '*' OR instr(' ' || e.events || ' ', ' wallet.credited ') > 0);
END;

-- As many attempts as the Standard Webhooks schedule has.
CREATE TRIGGER outgoing_task AFTER INSERT ON outgoing_event BEGIN
  INSERT INTO task (kind, lane, prio, state, stage, run_at, max_attempt, dedupe_key, payload, created_at)
    VALUES ('send_webhook', 'webhook', 2, 'ready', 'send', NEW.at, 10, 'webhook:' || NEW.id, json_object('event', NEW.id), NEW.at);
END;
