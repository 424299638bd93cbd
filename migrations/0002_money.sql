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

-- Customers by name, address, telephone number and deposit code, without marks. The tokenizer takes the marks off; đ is
-- a letter of its own to it, hence the replacing. rowid is customer.id.
CREATE INDEX customer_owed ON customer (id) WHERE wallet_vnd > 0;
CREATE VIRTUAL TABLE customer_search USING fts5 (text, content='', contentless_delete=1, prefix='2 3 4', tokenize="unicode61 remove_diacritics 2 tokenchars '@._-'");
CREATE VIEW customer_text AS
  SELECT id, replace(replace(name, 'đ', 'd'), 'Đ', 'D') || ' ' || email_key || ' ' || lower(deposit_code) || ' ' ||
         CASE WHEN digits LIKE '+84%' THEN '0' || substr(digits, 4) || ' ' || substr(digits, 2)
              WHEN digits LIKE '84%'  THEN '0' || substr(digits, 3) || ' ' || digits
              WHEN digits LIKE '0%'   THEN digits || ' 84' || substr(digits, 2)
              ELSE digits END AS text
    FROM (SELECT *, replace(replace(replace(replace(replace(coalesce(phone, ''), ' ', ''), '.', ''), '-', ''), '(', ''), ')', '') AS digits FROM customer);
INSERT INTO customer_search (rowid, text) SELECT id, text FROM customer_text;
CREATE TRIGGER customer_search_new AFTER INSERT ON customer BEGIN
  INSERT INTO customer_search (rowid, text) SELECT id, text FROM customer_text WHERE id = NEW.id;
END;
CREATE TRIGGER customer_search_change AFTER UPDATE OF email, name, phone ON customer
  WHEN OLD.email_key IS NOT NEW.email_key OR OLD.name IS NOT NEW.name OR OLD.phone IS NOT NEW.phone BEGIN
  DELETE FROM customer_search WHERE rowid = NEW.id;
  INSERT INTO customer_search (rowid, text) SELECT id, text FROM customer_text WHERE id = NEW.id;
END;
