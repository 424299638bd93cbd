-- Places at learning platforms that end by the app's own clock, for the timer.
CREATE INDEX enrolment_expiry ON enrolment (until_at) WHERE state = 'enrolled' AND until_at IS NOT NULL;
