-- Transactions of other servers that were answered: one that comes again gets the same answer, also after a restart.
CREATE TABLE received_transactions (
  origin      TEXT NOT NULL,
  txn_id      TEXT NOT NULL,
  -- JSON: by event id.
  answer      TEXT NOT NULL,
  -- Milliseconds since the Unix epoch.
  received_ts INTEGER NOT NULL,
  PRIMARY KEY (origin, txn_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX received_transactions_by_age ON received_transactions (received_ts);
CREATE INDEX received_transactions_by_origin ON received_transactions (origin, received_ts);
