// Package interop proves from outside that larder's files are Redis' files, and that larder treats
// files as Redis does.
//
//   - rdb_test.go, aof_test.go: the matrix. A data set with every type and encoding
//     (dataset_test.go) and a history of random writes (churn_test.go) go through a file from
//     larder to redis-server 7.0.15 and back, under every setting that changes the file's form.
//     Data sets are compared key by key, by type, value and time of expiry, as clients see them: no
//     comparison of DUMP payloads, which differ rightly. redis-check-rdb, redis-check-aof and an
//     RDB reader that is neither's read the files as well.
//   - tags_test.go, membertimes_test.go, functions_test.go: what larder has beside keys and values, in
//     each form in which data outlive a process (travel_test.go).
//   - folders_test.go: data folders that servers of other versions and families have left.
//   - cut_test.go: a snapshot is one point in time. Money moves between accounts under full load,
//     and every file has the exact sum.
//   - loading_test.go, runtime_test.go: what clients see while a file is loaded; switching the log
//     on and off; what each way to stop leaves.
//   - refuse_test.go: files and folders that larder must refuse: exit code 1, one line that says why,
//     nothing touched.
//
// The server under test is a process, so that it can be killed and refuse to start. SUBJECT=redis
// puts redis-server in its place, and every test must pass with it, but for the few expectations
// that are larder's own, which are then left out.
package interop
