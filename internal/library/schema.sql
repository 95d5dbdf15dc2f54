CREATE TABLE meta (store BLOB NOT NULL, format INTEGER NOT NULL);

-- How far an account was followed.
CREATE TABLE account (id BLOB PRIMARY KEY, seq INTEGER NOT NULL, chain BLOB NOT NULL, founded INTEGER NOT NULL) WITHOUT ROWID;

-- A folder of photos or an album, and the last change in it that the index has.
CREATE TABLE folder (id BLOB PRIMARY KEY, acct BLOB NOT NULL, seq INTEGER NOT NULL, album INTEGER NOT NULL, title TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX folder_of ON folder (acct);

-- A file in a folder of photos. wall is the clock on the wall when it was taken, in milliseconds as if it stood in UTC; other is what stands for it until that is known. shown: it is a row of the timeline.
CREATE TABLE photo (
  acct BLOB NOT NULL, item INTEGER NOT NULL, coll BLOB NOT NULL, name TEXT NOT NULL, folded TEXT NOT NULL, hash BLOB NOT NULL, size INTEGER NOT NULL,
  seq INTEGER NOT NULL, stored INTEGER NOT NULL, arrived INTEGER NOT NULL, favorite INTEGER NOT NULL, lost INTEGER NOT NULL, claims INTEGER NOT NULL,
  other INTEGER NOT NULL, wall INTEGER NOT NULL, month INTEGER NOT NULL, film INTEGER NOT NULL, pair TEXT NOT NULL, shown INTEGER NOT NULL,
  PRIMARY KEY (item, acct)) WITHOUT ROWID; -- in this order, as nobody is to go through all photos of an account by it
CREATE UNIQUE INDEX photo_place ON photo (coll, name);
CREATE INDEX photo_time ON photo (acct, shown, wall, item, folded); -- folded: names are searched without going to the rows
CREATE INDEX photo_favorite ON photo (acct, wall, item) WHERE favorite = 1 AND shown = 1;
CREATE INDEX photo_hash ON photo (acct, hash);
CREATE INDEX photo_pair ON photo (acct, pair) WHERE pair <> '';

-- How many rows of the timeline a month has.
CREATE TABLE month (acct BLOB NOT NULL, month INTEGER NOT NULL, photos INTEGER NOT NULL, PRIMARY KEY (acct, month)) WITHOUT ROWID;
CREATE TRIGGER photo_in AFTER INSERT ON photo WHEN new.shown BEGIN
  INSERT INTO month VALUES (new.acct, new.month, 1) ON CONFLICT DO UPDATE SET photos = photos + 1;
END;
CREATE TRIGGER photo_out AFTER DELETE ON photo WHEN old.shown BEGIN
  UPDATE month SET photos = photos - 1 WHERE acct = old.acct AND month = old.month;
  DELETE FROM month WHERE acct = old.acct AND month = old.month AND photos = 0;
END;
CREATE TRIGGER photo_moved AFTER UPDATE OF month, shown ON photo WHEN old.shown <> new.shown OR old.month <> new.month BEGIN
  UPDATE month SET photos = photos - 1 WHERE old.shown AND acct = old.acct AND month = old.month;
  DELETE FROM month WHERE acct = old.acct AND month = old.month AND photos = 0;
  INSERT INTO month SELECT new.acct, new.month, 1 WHERE new.shown ON CONFLICT DO UPDATE SET photos = photos + 1;
END;

-- What is known of octets, in whatever places they lie. rank orders the queue: the newest first.
CREATE TABLE content (
  acct BLOB NOT NULL, hash BLOB NOT NULL, size INTEGER NOT NULL, state INTEGER NOT NULL, rank INTEGER NOT NULL, tries INTEGER NOT NULL DEFAULT 0, next INTEGER NOT NULL DEFAULT 0, why TEXT NOT NULL DEFAULT '',
  kind TEXT NOT NULL DEFAULT '', width INTEGER NOT NULL DEFAULT 0, height INTEGER NOT NULL DEFAULT 0, wall INTEGER, zone INTEGER, sure INTEGER NOT NULL DEFAULT 0, source TEXT NOT NULL DEFAULT '',
  lat REAL, lon REAL, alt REAL, place TEXT NOT NULL DEFAULT '', place_folded TEXT NOT NULL DEFAULT '', make TEXT NOT NULL DEFAULT '', model TEXT NOT NULL DEFAULT '', lens TEXT NOT NULL DEFAULT '', camera TEXT NOT NULL DEFAULT '',
  lasts INTEGER NOT NULL DEFAULT 0, pair TEXT NOT NULL DEFAULT '', problems TEXT NOT NULL DEFAULT '',
  thumbhash BLOB, large_w INTEGER NOT NULL DEFAULT 0, large_h INTEGER NOT NULL DEFAULT 0, square_sum INTEGER NOT NULL DEFAULT 0, large_sum INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (acct, hash)) WITHOUT ROWID;
CREATE INDEX content_queue ON content (state, rank);

-- Where octets lay that lie there no more. While a version that can be shown names them, their thumbnails stay.
CREATE TABLE past (acct BLOB NOT NULL, hash BLOB NOT NULL, coll BLOB NOT NULL, name TEXT NOT NULL, PRIMARY KEY (acct, hash, coll, name)) WITHOUT ROWID;

CREATE TABLE member (album BLOB NOT NULL, name TEXT NOT NULL, acct BLOB NOT NULL, hash BLOB NOT NULL, coll BLOB NOT NULL, file TEXT NOT NULL, PRIMARY KEY (album, name)) WITHOUT ROWID;
CREATE INDEX member_hash ON member (acct, hash);
