-- Two more kinds of tasks: taking access back outside, and a delivery to the owner's own address as a test.
-- Widened in the stored text of the table, as in 0002; the last statement counts the schema's version up.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, 'kind IN (''prepare_course'',''deliver_order'',''notify_owner'',''mail_customer'',''send_webhook'')', 'kind IN (''prepare_course'',''deliver_order'',''notify_owner'',''mail_customer'',''send_webhook'',''revoke_access'',''test_delivery'')') WHERE name = 'task';
PRAGMA writable_schema = RESET;

-- How a buyer becomes a student somewhere else: JSON {kind, …}; NULL = not at all.
ALTER TABLE course ADD COLUMN enrolment TEXT;
