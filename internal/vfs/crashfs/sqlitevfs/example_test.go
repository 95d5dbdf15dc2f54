package sqlitevfs_test

import (
	"fmt"
	"log"
	"math/rand/v2"

	"github.com/ncruces/go-sqlite3"

	"holdfast/internal/vfs/crashfs"
	"holdfast/internal/vfs/crashfs/sqlitevfs"
)

// Open a disk, register it, run, cut, open again.
func Example() {
	disk := crashfs.New(crashfs.Options{})
	sql, err := sqlitevfs.Register(disk)
	if err != nil {
		log.Fatal(err)
	}
	defer sql.Unregister()
	rng := rand.New(rand.NewPCG(1, 2))

	db, err := sqlite3.Open(sql.URI("/holdfast.db"))
	if err != nil {
		log.Fatal(err)
	}
	err = db.Exec("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE t(x)")
	if err != nil {
		log.Fatal(err)
	}

	disk.CutAfter(20) // the 20th write, sync, ... from here is the last
	acknowledged := 0
	for !disk.Off() {
		if err := db.Exec("INSERT INTO t VALUES(1)"); err == nil {
			acknowledged++
		}
	}
	db.Close() // as a dead process: nothing reaches the disk any more
	disk.PowerCut(rng)

	db, err = sqlite3.Open(sql.URI("/holdfast.db"))
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	st, _, err := db.Prepare("SELECT count(*) FROM t")
	if err != nil {
		log.Fatal(err)
	}
	defer st.Close()
	st.Step()
	n := st.ColumnInt(0)
	fmt.Println("some were acknowledged:", acknowledged > 0)
	fmt.Println("all of them are there:", n >= acknowledged)
	fmt.Println("and at most the last one besides:", n <= acknowledged+1)
	// Output:
	// some were acknowledged: true
	// all of them are there: true
	// and at most the last one besides: true
}
