// Package clients uses larder as its users do: through go-redis, rueidis, valkey-go, redis-py, redis-cli and
// redis-benchmark, unchanged and with their defaults; and as its operators do: signals, taken
// ports, faulty and foreign configuration files.
package clients
