-- Version 6. Whether any change names a blob is asked before its octets are let go of: of those that have one there is an index, and of no others.
CREATE INDEX changes_blob ON changes(acct, etag) WHERE blob=1;
