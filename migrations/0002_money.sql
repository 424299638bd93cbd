-- Money that leaves orders, corrections with a reason, mails about money, webhooks to storefronts.
-- CHECK lists are widened in the stored text of their tables, as SQLite's documentation of ALTER TABLE describes for
-- changes that leave the rows as they are: no row is copied and nothing that points at these tables is touched.
-- The ALTER TABLE statements further down count the schema's version up, so that other connections read it again.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, 'kind IN (''prepare_course'',''deliver_order'',''notify_owner'')', 'kind IN (''prepare_course'',''deliver_order'',''notify_owner'',''mail_customer'',''send_webhook'')') WHERE name = 'task';
UPDATE sqlite_schema SET sql = replace(sql, 'lane IN (''course'',''order'',''owner'')', 'lane IN (''course'',''order'',''owner'',''webhook'')') WHERE name = 'task';
UPDATE sqlite_schema SET sql = replace(sql, 'name IN (''course'',''order'',''owner'')', 'name IN (''course'',''order'',''owner'',''webhook'')') WHERE name = 'lane';
UPDATE sqlite_schema SET sql = replace(sql, 'name IN (''in'',''orders'',''wallets'',''unmatched'',''set_aside'')', 'name IN (''in'',''orders'',''wallets'',''unmatched'',''set_aside'',''refunded'',''shop'')') WHERE name = 'bucket';
PRAGMA writable_schema = RESET;

-- Two more accounts: `refunded` (given back by the bank, on the owner's record) and `shop` (the shop's own, the other
-- side of adjustments; may be below zero).
INSERT INTO bucket (name) VALUES ('refunded'),('shop');
INSERT INTO lane (name) VALUES ('webhook');
INSERT INTO tally SELECT 'task:webhook:' || column1, 0
  FROM (VALUES ('scheduled'),('ready'),('running'),('done'),('failed'),('cancelled'));

-- Who moved the money and why, for movements made by people; and the movement that this one takes back.
-- All three are in the row's hash when any of them is set.
ALTER TABLE ledger ADD COLUMN actor TEXT;
ALTER TABLE ledger ADD COLUMN note TEXT;
ALTER TABLE ledger ADD COLUMN reverses INTEGER REFERENCES ledger (id);
CREATE UNIQUE INDEX ledger_reverses ON ledger (reverses) WHERE reverses IS NOT NULL;
CREATE INDEX ledger_transfer ON ledger (transfer_id) WHERE transfer_id IS NOT NULL;
-- Corrections, newest first, without walking past every transfer.
CREATE INDEX ledger_by_hand ON ledger (reason, id) WHERE debit <> 'bank';
