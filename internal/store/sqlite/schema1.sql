-- Version 1. Local integers (acct, coll, lsn) never leave the engine. Times are microseconds since 1970, hashes SHA-256, ids 16 random octets.

-- The store's identity.
CREATE TABLE store(id INTEGER PRIMARY KEY CHECK(id=1), sid BLOB NOT NULL, made INTEGER NOT NULL) STRICT;

-- The stream: a row inside every batch, with the hash that binds it to those before and its last lsn, so that vaults can be compared with the store.
CREATE TABLE batches(batch INTEGER PRIMARY KEY, hash BLOB NOT NULL, lsn INTEGER NOT NULL) STRICT;

CREATE TABLE accounts(acct INTEGER PRIMARY KEY, aid BLOB NOT NULL UNIQUE) STRICT;

-- Derived from the accounts' records: every login that an account has or had. Never given to another.
CREATE TABLE logins(login TEXT PRIMARY KEY, acct INTEGER NOT NULL) STRICT, WITHOUT ROWID;

-- The incarnations of an account's history. The first has no parent; later ones fork from it at a seq.
CREATE TABLE epochs(
  acct INTEGER NOT NULL, epoch INTEGER NOT NULL, nonce BLOB NOT NULL, parent INTEGER, fork INTEGER, hash BLOB,
  PRIMARY KEY(acct, epoch)) STRICT, WITHOUT ROWID;

-- The journal, and every body ever written, once. The last row of an account is its head; items counts its items ever made. actor NULL is the
-- account itself, device NULL none.
CREATE TABLE changes(
  lsn INTEGER PRIMARY KEY, acct INTEGER NOT NULL, seq INTEGER NOT NULL, epoch INTEGER NOT NULL, more INTEGER NOT NULL, batch INTEGER NOT NULL,
  id BLOB NOT NULL, op INTEGER NOT NULL, kind INTEGER NOT NULL, coll INTEGER NOT NULL, name TEXT NOT NULL,
  prev INTEGER NOT NULL, item INTEGER NOT NULL, items INTEGER NOT NULL, actor BLOB, device BLOB, at INTEGER NOT NULL,
  chain BLOB NOT NULL, etag BLOB, size INTEGER NOT NULL, ctype TEXT, props BLOB, blob INTEGER NOT NULL, body BLOB) STRICT;
CREATE UNIQUE INDEX changes_seq ON changes(acct, seq);

-- Collections with their counts, their last change (seq, epoch, chain) and their sum. acct owns them; parent is a coll, 0 for a root.
CREATE TABLE collections(
  coll INTEGER PRIMARY KEY, cid BLOB NOT NULL UNIQUE, acct INTEGER NOT NULL, parent INTEGER NOT NULL, name TEXT NOT NULL, type TEXT NOT NULL,
  gone INTEGER NOT NULL, made INTEGER NOT NULL, seq INTEGER NOT NULL, epoch INTEGER NOT NULL, chain BLOB NOT NULL,
  items INTEGER NOT NULL, octets INTEGER NOT NULL, dsum BLOB NOT NULL) STRICT;
CREATE UNIQUE INDEX coll_path ON collections(acct, parent, name) WHERE gone=0;
CREATE INDEX coll_acct ON collections(acct, cid);

-- The index into the journal: what is now. state 0 live, 1 tombstone, 2 ghost. name '' is the collection itself. t0, t1, months: for time queries.
CREATE TABLE resources(
  coll INTEGER NOT NULL, name TEXT NOT NULL, seq INTEGER NOT NULL, lsn INTEGER NOT NULL, state INTEGER NOT NULL, item INTEGER NOT NULL,
  kind INTEGER NOT NULL, etag BLOB, phash BLOB, size INTEGER NOT NULL, at INTEGER NOT NULL, made INTEGER NOT NULL,
  uid TEXT, t0 INTEGER, t1 INTEGER, months BLOB, PRIMARY KEY(coll, name)) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX res_seq ON resources(coll, seq);
CREATE UNIQUE INDEX res_uid ON resources(coll, uid) WHERE state=0 AND uid IS NOT NULL;

-- What devices have seen: observations, the newest wins. coll 0: the device itself.
CREATE TABLE seen(
  acct INTEGER NOT NULL, coll INTEGER NOT NULL, device BLOB NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL, chain BLOB NOT NULL,
  whole INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY(acct, coll, device)) STRICT, WITHOUT ROWID;

-- How far each vault is known to have come. A mark that is too low is harmless.
CREATE TABLE marks(vault TEXT PRIMARY KEY, batch INTEGER NOT NULL) STRICT, WITHOUT ROWID;
