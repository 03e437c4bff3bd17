package store

// typeOps is what the keyspace has to know about a data type. One row per
// type; everything else about a type is in the file of its name.
type typeOps struct {
	name     string                                  // as TYPE says it
	encoding func(value []byte, enc encoding) string // as OBJECT ENCODING says it
}

func (t Type) ops() typeOps {
	return [numTypes]typeOps{
		TypeString: {"string", stringEncoding},
		TypeHash:   {"hash", packedEncoding},
		TypeSet:    {"set", packedEncoding},
	}[t]
}

// String is the type's name as TYPE says it.
func (t Type) String() string { return t.ops().name }

// Encoding is Redis' name for how the value is kept.
func (e *Entry) Encoding() string {
	return e.rec.typ().ops().encoding(e.value(), e.rec.encoding())
}

func packedEncoding(_ []byte, enc encoding) string {
	switch enc {
	case encIntset:
		return "intset"
	case encPack:
		return "listpack"
	}
	return "hashtable"
}
