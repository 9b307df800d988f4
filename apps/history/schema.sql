-- Times are Unix microseconds, UTC. root is the call that a call has been
-- merged into, at last; its own id if it has not.
CREATE TABLE IF NOT EXISTS meta (
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;

-- n tells the order in which the events came, which is that of the stream
-- within a call.
CREATE TABLE IF NOT EXISTS events (
  n    INTEGER PRIMARY KEY AUTOINCREMENT,
  id   TEXT NOT NULL UNIQUE,
  call TEXT NOT NULL,
  body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS events_call ON events (call, n);

CREATE TABLE IF NOT EXISTS calls (
  id          TEXT PRIMARY KEY,
  root        TEXT NOT NULL,
  source      TEXT NOT NULL,
  direction   TEXT NOT NULL,
  live        INTEGER NOT NULL,
  started     INTEGER NOT NULL,
  answered    INTEGER,
  ended       INTEGER,
  disposition TEXT NOT NULL,
  name        TEXT NOT NULL,
  line        TEXT NOT NULL,
  identity    TEXT NOT NULL,
  recorded    INTEGER NOT NULL,
  wait_ms     INTEGER NOT NULL,
  talk_ms     INTEGER NOT NULL,
  record      BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS calls_started ON calls (started, id);
CREATE INDEX IF NOT EXISTS calls_live ON calls (started, id) WHERE live = 1;
CREATE INDEX IF NOT EXISTS calls_root ON calls (root);
CREATE INDEX IF NOT EXISTS calls_identity ON calls (identity, started) WHERE identity <> '';

-- tail is the number written backwards: numbers are looked for by their end.
CREATE TABLE IF NOT EXISTS numbers (
  call TEXT NOT NULL,
  tail TEXT NOT NULL,
  root TEXT NOT NULL,
  PRIMARY KEY (call, tail)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS numbers_tail ON numbers (tail, root);
CREATE INDEX IF NOT EXISTS numbers_root ON numbers (root);

CREATE TABLE IF NOT EXISTS parties (
  call     TEXT NOT NULL,
  leg      TEXT NOT NULL,
  root     TEXT NOT NULL,
  role     TEXT NOT NULL,
  address  TEXT NOT NULL,
  agent    TEXT NOT NULL,
  queue    TEXT NOT NULL,
  started  INTEGER NOT NULL,
  answered INTEGER,
  result   TEXT NOT NULL,
  ring_ms  INTEGER NOT NULL,
  talk_ms  INTEGER NOT NULL,
  PRIMARY KEY (call, leg)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS parties_root ON parties (root);
CREATE INDEX IF NOT EXISTS parties_address ON parties (address, root);
CREATE INDEX IF NOT EXISTS parties_agent ON parties (agent, root);
CREATE INDEX IF NOT EXISTS parties_started ON parties (started);

CREATE TABLE IF NOT EXISTS stays (
  call    TEXT NOT NULL,
  n       INTEGER NOT NULL,
  root    TEXT NOT NULL,
  queue   TEXT NOT NULL,
  joined  INTEGER NOT NULL,
  wait_ms INTEGER NOT NULL,
  left_by TEXT NOT NULL,
  PRIMARY KEY (call, n)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS stays_root ON stays (root);
CREATE INDEX IF NOT EXISTS stays_queue ON stays (queue, root);
CREATE INDEX IF NOT EXISTS stays_joined ON stays (joined);

CREATE TABLE IF NOT EXISTS listened (
  n         INTEGER PRIMARY KEY AUTOINCREMENT,
  at        INTEGER NOT NULL,
  call      TEXT NOT NULL,
  recording TEXT NOT NULL,
  who       TEXT NOT NULL,
  place     TEXT NOT NULL,
  how       TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS listened_call ON listened (call, n);
