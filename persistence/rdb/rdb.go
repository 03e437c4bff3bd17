package rdb
