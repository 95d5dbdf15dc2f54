package sqlite

// query names a statement; each connection prepares those that it uses, once.
type query int

const (
	qBegin query = iota
	qBeginWrite
	qCommit
	qRollback
	qSavepoint
	qSavepointEnd
	qSavepointBack
	qStore
	qInsertBatch
	qLastBatch
	qBatch
	qBehind
	qAccountByID
	qAccountByLogin
	qAccountsByLocalPart
	qAccounts
	qCountAccounts
	qCountLogins
	qEpoch
	qInsertAccount
	qInsertLogin
	qInsertEpoch
	qHead
	qHeadAt
	qCollectionsOf
	qCollectionByID
	qCollectionByKey
	qChild
	qChildKey
	qInsertCollection
	qUpdateCollection
	qUpdateCounts
	qItem
	qUIDHolder
	qPutItem
	qNewItem
	qNewVersion
	qNewTimes
	qInsertChange
	qMendBody
	qMendGhost
	qPruneBody
	qResource
	qResourceByUID
	qList
	qBetween
	qSince
	qItems
	qChangeAt
	qChangesAfter
	qBodiesAfter
	qChangesBack
	qOutbox
	qIsErased
	qErasing
	qErase
	qAccountRecords
	qEraseLogin
	qEraseLogins
	qLoginErased
	qEraseAccount
	qEraseBatches
	qBatchErased
	qBatchesBetween
	qEraseSeen
	qEraseEpochs
	qEraseItems
	qEraseChanges
	qEraseCollections
	qEraseEnd
	qSaw
	qSightings
	qGhosts
	qNamesBlob
	qBlobs
	qAccountID
	qOwner
	qCollectionID
	qPart
	qPartBody
	qCheckpoint
	qLogPages
	nQueries
)

// Numbers of resourceColumns and changeColumns.
const (
	resourceWidth = 15
	changeWidth   = 24
)

// Columns that several statements share, so that one function scans them.
const (
	collectionColumns = `c.coll, c.cid, c.acct, c.gone, c.made, c.seq, c.epoch, c.chain, c.items, c.octets, c.dsum, c.parent, c.name, c.type`
	resourceColumns   = `r.name, r.seq, r.state, r.item, r.kind, r.etag, r.phash, r.size, r.at, r.made, r.uid, r.lsn, r.t0, r.t1, r.months`
	// typeof tells whether a body is there without reading it.
	changeColumns = `h.acct, h.seq, h.epoch, h.more, h.id, h.op, h.kind, h.coll, h.name, h.prev, h.item, h.actor, h.device, h.at, h.chain, h.etag, h.size, h.ctype, h.props, h.blob, h.batch, h.lsn, h.items, typeof(h.body)='null'`
)

var queries = [nQueries]string{
	qBegin:         `BEGIN`,
	qBeginWrite:    `BEGIN IMMEDIATE`,
	qCommit:        `COMMIT`,
	qRollback:      `ROLLBACK`,
	qSavepoint:     `SAVEPOINT g`,
	qSavepointEnd:  `RELEASE g`,
	qSavepointBack: `ROLLBACK TO g`,
	qStore:         `SELECT sid FROM store WHERE id=1`,
	qInsertBatch:   `INSERT INTO batches(batch, hash, lsn) VALUES(?1,?2,?3)`,
	qLastBatch:     `SELECT batch, hash, lsn FROM batches ORDER BY batch DESC LIMIT 1`,
	qBatch:         `SELECT hash, lsn FROM batches WHERE batch=?1`,
	qBehind:        `SELECT count(*), coalesce(sum(size), 0) FROM (SELECT size FROM changes WHERE lsn>?1 ORDER BY lsn LIMIT 100000)`,

	qAccountByID:    `SELECT acct FROM accounts WHERE aid=?1`,
	qAccountByLogin: `SELECT a.aid, a.acct FROM logins l JOIN accounts a ON a.acct=l.acct WHERE l.login=?1`,
	// The outer table is the one of logins, whose key is in the order that is asked for.
	qAccountsByLocalPart: `SELECT a.aid FROM logins l CROSS JOIN accounts a ON a.acct=l.acct WHERE l.login>=?1 AND l.login<?2 ORDER BY l.login LIMIT ?3`,
	qAccounts:            `SELECT acct, aid FROM accounts WHERE aid>?1 ORDER BY aid LIMIT ?2`,
	qCountAccounts:       `SELECT count(*) FROM accounts`,
	qCountLogins:         `SELECT count(*) FROM logins`,
	qEpoch:               `SELECT 1 FROM epochs WHERE acct=?1 AND epoch=?2`,
	qInsertAccount:       `INSERT INTO accounts(aid) VALUES(?1) RETURNING acct`,
	qInsertLogin:         `INSERT INTO logins(login, acct) VALUES(?1,?2) ON CONFLICT(login) DO NOTHING`,
	qInsertEpoch:         `INSERT INTO epochs(acct, epoch, nonce, parent, fork, hash) VALUES(?1,?2,?3,?4,?5,?6)`,
	qHead:                `SELECT seq, epoch, chain, items, batch FROM changes WHERE acct=?1 ORDER BY seq DESC LIMIT 1`,
	qHeadAt:              `SELECT epoch, chain, batch FROM changes WHERE acct=?1 AND seq=?2`,

	qCollectionsOf:   `SELECT ` + collectionColumns + ` FROM collections c WHERE c.acct=?1 ORDER BY c.cid`,
	qCollectionByID:  `SELECT ` + collectionColumns + ` FROM collections c WHERE c.cid=?1`,
	qCollectionByKey: `SELECT ` + collectionColumns + ` FROM collections c WHERE c.coll=?1`,
	qChild:           `SELECT ` + collectionColumns + ` FROM collections p JOIN collections c ON c.acct=p.acct AND c.parent=p.coll WHERE p.cid=?1 AND p.gone=0 AND c.name=?2 AND c.gone=0`,
	qChildKey:        `SELECT coll FROM collections WHERE acct=?1 AND parent=?2 AND name=?3 AND gone=0`,
	qInsertCollection: `INSERT INTO collections(cid, acct, parent, name, type, gone, made, seq, epoch, chain, items, octets, dsum)
		VALUES(?1,?2,?3,?4,?5,0,?6,0,0,x'',0,0,zeroblob(32)) RETURNING coll`,
	qUpdateCollection: `UPDATE collections SET parent=?2, name=?3, gone=?4 WHERE coll=?1`,
	qUpdateCounts:     `UPDATE collections SET seq=?2, epoch=?3, chain=?4, items=?5, octets=?6, dsum=?7 WHERE coll=?1`,

	qItem:      `SELECT ` + resourceColumns + ` FROM resources r WHERE r.coll=?1 AND r.name=?2`,
	qUIDHolder: `SELECT name FROM resources WHERE coll=?1 AND uid=?2 AND state=0`,
	qPutItem: `INSERT INTO resources(coll, name, seq, lsn, state, item, kind, etag, phash, size, at, made, uid, t0, t1, months, span) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17)
		ON CONFLICT(coll, name) DO UPDATE SET seq=?3, lsn=?4, state=?5, item=?6, kind=?7, etag=?8, phash=?9, size=?10, at=?11, made=?12, uid=?13, t0=?14, t1=?15, months=?16, span=?17`,
	qNewItem: `INSERT INTO resources(coll, name, seq, lsn, state, item, kind, etag, phash, size, at, made, uid, t0, t1, months, span) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17)`,
	// A new version of a live item with the same UID leaves the index of UIDs alone, which naming state or uid here would not; one with the same times that of times.
	qNewVersion: `UPDATE resources SET seq=?3, lsn=?4, kind=?5, etag=?6, phash=?7, size=?8, at=?9 WHERE coll=?1 AND name=?2`,
	qNewTimes:   `UPDATE resources SET seq=?3, lsn=?4, kind=?5, etag=?6, phash=?7, size=?8, at=?9, t0=?10, t1=?11, months=?12, span=?13 WHERE coll=?1 AND name=?2`,
	qInsertChange: `INSERT INTO changes(lsn, acct, seq, epoch, more, batch, id, op, kind, coll, name, prev, item, items, actor, device, at, chain, etag, size, ctype, props, blob, body)
		VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20,?21,?22,?23,?24)`,

	qMendBody:  `UPDATE changes SET body=?3 WHERE lsn=?1 AND acct=(SELECT acct FROM accounts WHERE aid=?2) RETURNING 1`,
	qMendGhost: `UPDATE resources SET state=0 WHERE coll=?1 AND name=?2 AND lsn=?3 AND state=2`,

	qPruneBody: `UPDATE changes SET body=NULL WHERE lsn=?1`,

	qResource:      `SELECT ` + resourceColumns + `, a.aid FROM collections c JOIN accounts a ON a.acct=c.acct JOIN resources r ON r.coll=c.coll WHERE c.cid=?1 AND r.name=?2`,
	qResourceByUID: `SELECT ` + resourceColumns + ` FROM resources r WHERE r.coll=?1 AND r.uid=?2 AND r.state=0`,
	qList:          `SELECT ` + resourceColumns + ` FROM resources r WHERE r.coll=?1 AND r.name>?2 AND r.state<>1 ORDER BY r.name LIMIT ?3`,
	qBetween:       `SELECT ` + resourceColumns + ` FROM resources r INDEXED BY res_time WHERE r.coll=?1 AND r.span=?2 AND r.t0>=?3 AND r.t0<?4 AND r.t1>=?5`,
	qSince:         `SELECT ` + resourceColumns + ` FROM resources r INDEXED BY res_seq WHERE r.coll=?1 AND r.seq>?2 AND r.name<>'' ORDER BY r.seq LIMIT ?3`,
	qItems:         `SELECT ` + resourceColumns + `, r.span FROM resources r WHERE r.coll=?1 ORDER BY r.name`,

	qChangeAt:       `SELECT ` + changeColumns + ` FROM changes h WHERE h.acct=?1 AND h.seq=?2`,
	qChangesAfter:   `SELECT ` + changeColumns + ` FROM changes h WHERE h.acct=?1 AND h.seq>?2 ORDER BY h.seq LIMIT ?3`,
	qBodiesAfter:    `SELECT ` + changeColumns + `, h.body FROM changes h WHERE h.acct=?1 AND h.seq>?2 ORDER BY h.seq LIMIT ?3`,
	qChangesBack:    `SELECT ` + changeColumns + ` FROM changes h WHERE h.acct=?1 AND h.seq>?2 ORDER BY h.seq DESC`,
	qIsErased:       `SELECT 1 FROM erased WHERE aid=?1`,
	qErasing:        `SELECT acct FROM erased WHERE aid=?1`,
	qErase:          `INSERT INTO erased(aid, acct, at) VALUES(?1,?2,?3)`,
	qAccountRecords: `SELECT body FROM changes WHERE acct=?1 AND kind=1 AND body IS NOT NULL`,
	qEraseLogin:     `INSERT INTO erased_logins(hash) VALUES(?1) ON CONFLICT DO NOTHING`,
	qEraseLogins:    `DELETE FROM logins WHERE login=?1`,
	qLoginErased:    `SELECT 1 FROM erased_logins WHERE hash=?1`,
	qEraseAccount:   `DELETE FROM accounts WHERE acct=?1`,
	qEraseBatches:   `INSERT INTO erased_batches(batch) SELECT batch FROM changes WHERE acct=?1 ON CONFLICT DO NOTHING`,
	qBatchErased:    `SELECT 1 FROM erased_batches WHERE batch=?1`,
	qBatchesBetween: `SELECT batch, hash FROM batches WHERE batch>?1 AND batch<?2 ORDER BY batch`,
	qEraseSeen:      `DELETE FROM seen WHERE acct=?1`,
	qEraseEpochs:    `DELETE FROM epochs WHERE acct=?1`,
	qEraseItems: `DELETE FROM resources WHERE (coll, name) IN (SELECT r.coll, r.name FROM collections c JOIN resources r ON r.coll=c.coll WHERE c.acct=?1 LIMIT 2000)
		RETURNING 1`,
	qEraseChanges:     `DELETE FROM changes WHERE lsn IN (SELECT lsn FROM changes WHERE acct=?1 LIMIT 2000) RETURNING 1`,
	qEraseCollections: `DELETE FROM collections WHERE acct=?1`,
	qEraseEnd:         `UPDATE erased SET acct=NULL WHERE aid=?1`,
	qOutbox:           `SELECT ` + changeColumns + ` FROM changes h WHERE h.lsn>?1 ORDER BY h.lsn`,
	qSaw: `INSERT INTO seen(acct, coll, device, epoch, seq, chain, whole, at) VALUES(?1,?2,?3,?4,?5,?6,?7,?8)
		ON CONFLICT(acct, coll, device) DO UPDATE SET epoch=?4, seq=?5, chain=?6, whole=?7, at=?8 WHERE ?8>at OR ?8=at AND ?5>=seq`,
	qGhosts:       `SELECT count(*) FROM resources r INDEXED BY res_ghost JOIN collections c ON c.coll=r.coll WHERE r.state=2 AND c.gone=0 AND (?1 IS NULL OR c.acct=?1)`,
	qNamesBlob:    `SELECT 1 FROM changes INDEXED BY changes_blob WHERE acct=?1 AND etag=?2 AND blob=1 LIMIT 1`,
	qBlobs:        `SELECT etag, min(size) FROM changes INDEXED BY changes_blob WHERE acct=?1 AND etag>=?2 AND blob=1 GROUP BY etag ORDER BY etag LIMIT ?3`,
	qSightings:    `SELECT coll, device, epoch, seq, chain, whole, at FROM seen WHERE acct=?1`,
	qAccountID:    `SELECT aid FROM accounts WHERE acct=?1`,
	qOwner:        `SELECT a.aid FROM collections c JOIN accounts a ON a.acct=c.acct WHERE c.cid=?1`,
	qCollectionID: `SELECT cid FROM collections WHERE coll=?1`,
	qPart:         `SELECT ctype, device, props, blob FROM changes WHERE lsn=?1`,
	qPartBody:     `SELECT ctype, device, props, blob, body FROM changes WHERE lsn=?1`,
	qCheckpoint:   `PRAGMA wal_checkpoint(PASSIVE)`,
	qLogPages:     `PRAGMA wal_checkpoint(NOOP)`,
}
