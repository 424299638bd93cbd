-- Versions announced to past buyers, bundles, an order's own address, how long access lasts, price history.
-- A link of a test delivery belongs to no order: its item may be empty. As in 0002, the rows stay as they are and the
-- ALTER TABLE statements further down count the schema's version up.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, 'order_item_id INTEGER NOT NULL REFERENCES order_item (id)', 'order_item_id INTEGER REFERENCES order_item (id)') WHERE name = 'link';
PRAGMA writable_schema = RESET;

ALTER TABLE course ADD COLUMN description TEXT NOT NULL DEFAULT '';
-- How long a buyer keeps access after the first delivery; 0 = for ever.
ALTER TABLE course ADD COLUMN access_days INTEGER NOT NULL DEFAULT 0 CHECK (access_days >= 0);

-- Where this order is delivered to; NULL = to its buyer's address.
ALTER TABLE orders ADD COLUMN deliver_to TEXT;
-- When access ends by the course's terms, fixed by the first delivery; NULL = never.
ALTER TABLE order_item ADD COLUMN access_until INTEGER;
-- The bundle it was bought in.
ALTER TABLE order_item ADD COLUMN bundle_id INTEGER REFERENCES bundle (id);

-- What each price was, from when on.
CREATE TABLE course_price (
  id        INTEGER PRIMARY KEY,
  course_id INTEGER NOT NULL REFERENCES course (id),
  price_vnd INTEGER NOT NULL,
  from_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX course_price_course ON course_price (course_id, id);
INSERT INTO course_price (course_id, price_vnd, from_at) SELECT id, price_vnd, created_at FROM course ORDER BY id;
CREATE TRIGGER course_price_new AFTER INSERT ON course BEGIN
  INSERT INTO course_price (course_id, price_vnd, from_at) VALUES (NEW.id, NEW.price_vnd, NEW.created_at);
END;
CREATE TRIGGER course_price_change AFTER UPDATE OF price_vnd ON course WHEN OLD.price_vnd <> NEW.price_vnd BEGIN
  INSERT INTO course_price (course_id, price_vnd, from_at) VALUES (NEW.id, NEW.price_vnd, NEW.updated_at);
END;

-- The last look at a course's source: what it had, beside what was prepared.
CREATE TABLE course_check (
  course_id INTEGER PRIMARY KEY REFERENCES course (id),
  at        INTEGER NOT NULL,
  version   INTEGER NOT NULL,                        -- the version it was compared with
  state     TEXT    NOT NULL CHECK (state IN ('same','changed','unknown','failed')),
  print     TEXT,                                    -- SHA-256 over paths, sizes and stamps, when nothing differed
  files     INTEGER,                                 -- how many files differ
  code      TEXT,                                    -- why it failed
  detail    TEXT
) STRICT;

-- A version that a past buyer was given and told of: once for each order and version.
CREATE TABLE announced (
  order_id  INTEGER NOT NULL REFERENCES orders (id),
  course_id INTEGER NOT NULL REFERENCES course (id),
  version   INTEGER NOT NULL,
  task_id   INTEGER NOT NULL REFERENCES task (id),
  at        INTEGER NOT NULL,
  PRIMARY KEY (order_id, course_id, version)
) STRICT, WITHOUT ROWID;

-- Several courses sold as one thing at a price of its own.
CREATE TABLE bundle (
  id          INTEGER PRIMARY KEY,
  slug        TEXT    NOT NULL UNIQUE,
  title       TEXT    NOT NULL,
  description TEXT    NOT NULL DEFAULT '',
  price_vnd   INTEGER NOT NULL CHECK (price_vnd > 0),
  active      INTEGER NOT NULL DEFAULT 1,
  created_at  INTEGER NOT NULL,
  updated_at  INTEGER NOT NULL
) STRICT;
CREATE TABLE bundle_course (
  bundle_id INTEGER NOT NULL REFERENCES bundle (id),
  course_id INTEGER NOT NULL REFERENCES course (id),
  place     INTEGER NOT NULL,
  PRIMARY KEY (bundle_id, course_id)
) STRICT, WITHOUT ROWID;
-- One name means one thing in an order.
CREATE TRIGGER bundle_slug BEFORE INSERT ON bundle WHEN EXISTS (SELECT 1 FROM course WHERE slug = NEW.slug) BEGIN
  SELECT RAISE (ABORT, 'a course has this slug');
END;
CREATE TRIGGER course_slug BEFORE INSERT ON course WHEN EXISTS (SELECT 1 FROM bundle WHERE slug = NEW.slug) BEGIN
  SELECT RAISE (ABORT, 'a bundle has this slug');
END;

-- Deliveries of a course by the day (Vietnam, days since 1970) on which the order was paid, as they stand now.
CREATE TABLE course_day (
  course_id INTEGER NOT NULL REFERENCES course (id),
  day       INTEGER NOT NULL,
  delivered INTEGER NOT NULL DEFAULT 0,
  failed    INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (course_id, day)
) STRICT, WITHOUT ROWID;
INSERT INTO course_day (course_id, day, delivered, failed)
  SELECT i.course_id, (coalesce(o.paid_at, o.created_at) + 25200000) / 86400000, sum(i.delivery = 'delivered'), sum(i.delivery = 'failed')
    FROM order_item AS i JOIN orders AS o ON o.id = i.order_id WHERE i.delivery IN ('delivered', 'failed') GROUP BY 1, 2;
CREATE TRIGGER course_day_move AFTER UPDATE OF delivery ON order_item
  WHEN OLD.delivery <> NEW.delivery AND (OLD.delivery IN ('delivered', 'failed') OR NEW.delivery IN ('delivered', 'failed')) BEGIN
  INSERT INTO course_day (course_id, day, delivered, failed)
    SELECT NEW.course_id, (coalesce(paid_at, created_at) + 25200000) / 86400000,
           (NEW.delivery = 'delivered') - (OLD.delivery = 'delivered'), (NEW.delivery = 'failed') - (OLD.delivery = 'failed')
      FROM orders WHERE id = NEW.order_id
    ON CONFLICT (course_id, day) DO UPDATE SET delivered = delivered + excluded.delivered, failed = failed + excluded.failed;
END;
