// Package libraries runs the libraries and frameworks that bring scripts of their own, unchanged
// and in exact versions, against larder: locks (redis-py, redsync, pottery), limits
// (Flask-Limiter), caches (django-redis), queues (RQ, Celery, Dramatiq, Bull, BullMQ, and asynq's
// own tests). What cannot be run here because its language is not, Laravel and Sidekiq, and what
// needs a database, cacheops, has its scripts written afresh by their documented behaviour.
//
// The programs are in python/ and node/. With SUBJECT=redis all of it runs against redis-server.
package libraries
