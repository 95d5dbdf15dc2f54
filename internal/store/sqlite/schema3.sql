-- Version 3. How far a vault has come is its own to know.
DROP TABLE marks;

-- Accounts that were erased: acct until the last of their rows is gone; the SHA-256 of their logins, which are given to nobody; and the batches that had changes of theirs.
CREATE TABLE erased(aid BLOB PRIMARY KEY, acct INTEGER, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE erased_logins(hash BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE erased_batches(batch INTEGER PRIMARY KEY) STRICT;
