// Package migrate moves keys between servers: larder to larder, larder to redis-server and back,
// every type, with and without a time to live, while clients change what is on its way, and with
// servers that answer late, wrongly or not at all.
package migrate
