// Package lua holds larder's interpreter for Lua against that in redis-server 7.0.15: the results of
// its libraries, the texts of errors, the order of pairs. The scripts run in the interpreter alone,
// without the commands EVAL and FCALL around it.
package lua
