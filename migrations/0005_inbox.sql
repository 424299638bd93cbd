-- Placing transfers by hand, and the webhook inbox.

-- The owner's words when a transfer was set aside.
ALTER TABLE transfer ADD COLUMN note TEXT;
-- When the owner placed it last; NULL when it was never placed by hand.
ALTER TABLE transfer ADD COLUMN placed_at INTEGER;

-- Partly paid orders, for suggestions by what is still open. Few at any time.
CREATE INDEX orders_partly ON orders (id) WHERE stage = 'pending' AND flags <> 0;

-- The inbox by outcome and by source; the usual ones need no index to be found.
CREATE INDEX sepay_event_outcome ON sepay_event (outcome, received_at, sepay_id) WHERE outcome <> 'paid';
CREATE INDEX sepay_event_source  ON sepay_event (source, received_at, sepay_id)  WHERE source <> 'webhook';

-- Requests that the webhook door refused, by hour (ms / 3600000) and reason.
CREATE TABLE rejected_stat (
  hour    INTEGER NOT NULL,
  reason  TEXT    NOT NULL,                          -- unauthorized, stale, malformed, too_large, wrong_product
  n       INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  PRIMARY KEY (hour, reason)
) STRICT, WITHOUT ROWID;
