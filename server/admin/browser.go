package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/larderkv/larder/server/engine"
)

// The browser of keys works by commands, which a session runs as it runs those of any client
// (engine.Caller): with the user's rights, and with all that follows from a change.

// callTime is how long the commands of one request may take: they wait for pauses and scripts.
const callTime = 10 * time.Second

// calls are the commands of one HTTP request. The first that fails is what the client is told.
type calls struct {
	ctx    context.Context
	cancel context.CancelFunc
	caller *engine.Caller
	err    error
}

// call begins the commands of a request, in the database that it names.
func (a *Admin) call(r *http.Request) *calls {
	c := &calls{caller: a.kernel.NewCaller(whoOf(r).Record, r.RemoteAddr)}
	c.ctx, c.cancel = context.WithTimeout(r.Context(), callTime)
	if db := param(r, "db"); db != "" && db != "0" {
		c.do("SELECT", db)
	}
	return c
}

func (c *calls) close() {
	c.cancel()
	c.caller.Close()
}

// do runs a command. After a failure nothing runs any more.
func (c *calls) do(args ...string) value {
	if c.err != nil {
		return nil
	}
	v, err := c.try(args...)
	c.err = err
	return v
}

// try is do for what may fail without harm. Its error is a replyError, or the end of all.
func (c *calls) try(args ...string) (value, error) {
	b, err := c.caller.Do(c.ctx, args...)
	if err != nil {
		c.err = err
		return nil, err
	}
	v, err := parseReply(b)
	if refused, ok := v.(replyError); ok {
		return nil, refused
	}
	return v, err
}

// integer is a reply that is a number, nil if there is none, or it is one that stands for nothing.
func (c *calls) integer(args ...string) *int64 {
	v, err := c.try(args...)
	n, ok := v.(int64)
	if err != nil || !ok || n < 0 {
		return nil
	}
	return &n
}

func (c *calls) text(args ...string) string {
	v, err := c.try(args...)
	b, _ := v.([]byte)
	if err != nil {
		return ""
	}
	return string(b)
}

// failed tells the client of a failure, if there was one.
func (c *calls) failed(w http.ResponseWriter) bool {
	var refused replyError
	switch {
	case c.err == nil:
		return false
	case errors.As(c.err, &refused):
		fail(w, statusOf(refused), string(refused))
	case errors.Is(c.err, context.DeadlineExceeded):
		fail(w, http.StatusGatewayTimeout, "the server is busy: a script or a pause keeps these keys")
	default:
		fail(w, http.StatusServiceUnavailable, c.err.Error())
	}
	return true
}

// statusOf is the status that stands for an error reply.
func statusOf(e replyError) int {
	switch code, _, _ := strings.Cut(string(e), " "); code {
	case "NOPERM", "NOAUTH":
		return http.StatusForbidden
	case "LOADING", "BUSY", "MISCONF", "OOM":
		return http.StatusServiceUnavailable
	case "WRONGTYPE":
		return http.StatusConflict
	}
	return http.StatusBadRequest
}

// param is a parameter of a request's URL.
func param(r *http.Request, name string) string { return r.URL.Query().Get(name) }

// browsed is a key in the list.
type browsed struct {
	label
	Type     string `json:"type"`
	TTL      *int64 `json:"ttl_ms"` // null: none
	Bytes    *int64 `json:"bytes"`  // null: may not be asked for
	Encoding string `json:"encoding"`
}

const (
	// pageKeys is how many keys a page of the list has before it ends, and pageBytes how many bytes of
	// names.
	pageKeys, pageBytes = 100, 1 << 20
	// pageTime is how long a page may look for keys that match.
	pageTime = 100 * time.Millisecond
	// scanLeast and scanMost are the counts of its SCANs: names may be long, and matches rare.
	scanLeast, scanMost = 10, 1000
)

// serveKeys lists keys from a cursor on.
func (a *Admin) serveKeys(w http.ResponseWriter, r *http.Request) {
	c := a.call(r)
	defer c.close()
	cursor := param(r, "cursor")
	if cursor == "" {
		cursor = "0"
	}
	names, cursor := c.scan(cursor, param(r, "match"), param(r, "type"))
	keys := make([]browsed, 0, len(names))
	for _, name := range names {
		if k, ok := c.describe(name); ok {
			keys = append(keys, k)
		}
	}
	if !c.failed(w) {
		reply(w, map[string]any{"cursor": cursor, "keys": keys})
	}
}

// scan collects names until there are enough for a page, or it has taken long enough.
func (c *calls) scan(cursor, match, typ string) (names []string, next string) {
	var filter []string
	if match != "" {
		filter = append(filter, "MATCH", match)
	}
	if typ != "" {
		filter = append(filter, "TYPE", typ)
	}
	size := 0
	for count, end := scanLeast, time.Now().Add(pageTime); ; {
		v := c.do(append([]string{"SCAN", cursor, "COUNT", strconv.Itoa(count)}, filter...)...)
		answer, ok := v.([]value)
		if !ok || len(answer) != 2 {
			return nil, "0" // it has failed
		}
		cursor = string(answer[0].([]byte))
		for _, name := range answer[1].([]value) {
			names = append(names, string(name.([]byte)))
			size += len(name.([]byte))
		}
		if cursor == "0" || len(names) >= pageKeys || size >= pageBytes || time.Now().After(end) {
			return names, cursor
		}
		if size < pageBytes/8 { // long names have come with few
			count = min(2*count, scanMost)
		}
	}
}

// describe is what the list says of a key, false if it has gone.
func (c *calls) describe(name string) (k browsed, ok bool) {
	typ := string(asBytes(c.do("TYPE", name)))
	if typ == "none" || c.err != nil {
		return k, false
	}
	return browsed{
		label: labelOf([]byte(name)), Type: typ, TTL: c.integer("PTTL", name),
		Bytes:    c.integer("MEMORY", "USAGE", name),
		Encoding: c.text("OBJECT", "ENCODING", name),
	}, true
}

func asBytes(v value) []byte {
	b, _ := v.([]byte)
	return b
}

// keyOf is the key that a request names.
func keyOf(w http.ResponseWriter, r *http.Request) (name string, ok bool) {
	b, err := fromBase64(param(r, "name"))
	if err != nil || !r.URL.Query().Has("name") {
		fail(w, http.StatusBadRequest, "name is a key's name in base64url")
		return "", false
	}
	return string(b), true
}

// serveKey tells of one key, with the beginning of its value.
func (a *Admin) serveKey(w http.ResponseWriter, r *http.Request) {
	name, ok := keyOf(w, r)
	if !ok {
		return
	}
	c := a.call(r)
	defer c.close()
	k, ok := c.describe(name)
	if ok {
		p := a.preview(c, name, k.Type)
		if !c.failed(w) {
			reply(w, struct {
				browsed
				preview
			}{k, p})
		}
		return
	}
	if !c.failed(w) {
		fail(w, http.StatusNotFound, "there is no such key")
	}
}

// preview reads the beginning of a value. One request at a time does: an element is fetched whole, and
// may have 512 MB.
func (a *Admin) preview(c *calls, name, typ string) preview {
	a.previews.Lock()
	defer a.previews.Unlock()
	return c.preview(name, typ)
}

// deleteKey deletes a key.
func (a *Admin) deleteKey(w http.ResponseWriter, r *http.Request) {
	name, ok := keyOf(w, r)
	if !ok {
		return
	}
	c := a.call(r)
	defer c.close()
	deleted, _ := c.do("DEL", name).(int64)
	switch {
	case c.failed(w):
	case deleted == 0:
		fail(w, http.StatusNotFound, "there is no such key")
	default:
		a.log.Info("a key was deleted by the admin server", "user", whoOf(r).User().Name(), "addr", r.RemoteAddr)
		reply(w, map[string]int64{"deleted": deleted})
	}
}

// edit is what is to become of a key. What is not said stays.
type edit struct {
	Value  *string `json:"value"`   // of a string, as text
	Binary *string `json:"value64"` // or as base64url
	TTL    *int64  `json:"ttl_ms"`  // -1: none
}

// putKey changes a key that is there: the value of a string, the time to live of any.
func (a *Admin) putKey(w http.ResponseWriter, r *http.Request) {
	name, ok := keyOf(w, r)
	if !ok {
		return
	}
	e, err := readEdit(r)
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	c := a.call(r)
	defer c.close()
	typ := string(asBytes(c.do("TYPE", name)))
	switch {
	case c.failed(w):
		return
	case typ == "none":
		fail(w, http.StatusNotFound, "there is no such key")
		return
	case e.Value != nil && typ != "string":
		fail(w, http.StatusConflict, "only the value of a string can be changed here, and this is a "+typ)
		return
	}
	done := c.change(name, e)
	switch {
	case c.failed(w):
	case !done:
		fail(w, http.StatusNotFound, "the key has gone meanwhile")
	default:
		a.log.Info("a key was changed by the admin server", "user", whoOf(r).User().Name(), "addr", r.RemoteAddr)
		reply(w, map[string]bool{"changed": true})
	}
}

// change does it, and reports whether the key was there. A value and a time to live change together.
func (c *calls) change(name string, e *edit) (done bool) {
	switch {
	case e.Value != nil && e.TTL == nil:
		return c.do("SET", name, *e.Value, "XX", "KEEPTTL") != nil
	case e.Value != nil && *e.TTL < 0:
		return c.do("SET", name, *e.Value, "XX") != nil
	case e.Value != nil:
		return c.do("SET", name, *e.Value, "XX", "PX", strconv.FormatInt(*e.TTL, 10)) != nil
	case *e.TTL < 0:
		c.do("PERSIST", name) // 0 also if there was none
		return true
	}
	n, _ := c.do("PEXPIRE", name, strconv.FormatInt(*e.TTL, 10)).(int64)
	return n == 1
}

// readEdit reads and checks the body of a PUT; Value is set for a binary one, too.
func readEdit(r *http.Request) (*edit, error) {
	var e edit
	if err := decodeBody(r, &e); err != nil {
		return nil, err
	}
	if e.Binary != nil {
		b, err := fromBase64(*e.Binary)
		if err != nil || e.Value != nil {
			return nil, errors.New("value64 is base64url, and in the place of value")
		}
		text := string(b)
		e.Value = &text
	}
	switch {
	case e.Value == nil && e.TTL == nil:
		return nil, errors.New("neither a value nor a ttl_ms")
	case e.TTL != nil && (*e.TTL == 0 || *e.TTL < -1):
		return nil, fmt.Errorf("ttl_ms is %d: milliseconds, or -1 for none", *e.TTL)
	}
	return &e, nil
}
