package lua

import (
	"strconv"
	"testing"
)

func BenchmarkTable(b *testing.B) {
	const n = 1000
	names := make([]*String, n)
	table := NewTable(0, 0)
	for i := range names {
		names[i] = NewString("field:" + strconv.Itoa(i))
		table.SetStr(names[i], Int(i))
		table.SetInt(i+1, Int(i))
	}
	b.Run("GetInt", func(b *testing.B) {
		for i := range b.N {
			table.GetInt(i%n + 1)
		}
	})
	b.Run("GetStr", func(b *testing.B) {
		for i := range b.N {
			table.GetStr(names[i%n])
		}
	})
	b.Run("Get", func(b *testing.B) {
		for i := range b.N {
			table.Get(Number(float64(i%n + 1)))
		}
	})
	b.Run("SetInt", func(b *testing.B) {
		for i := range b.N {
			table.SetInt(i%n+1, True)
		}
	})
	b.Run("SetStr", func(b *testing.B) {
		for i := range b.N {
			table.SetStr(names[i%n], True)
		}
	})
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; i < b.N; {
			t := NewTable(0, 0)
			for j := 0; j < n && i < b.N; j++ {
				t.SetInt(t.Len()+1, True)
				i++
			}
		}
	})
	b.Run("insert", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; i < b.N; {
			t := NewTable(0, 0)
			for j := 0; j < n && i < b.N; j++ {
				t.SetStr(names[j], True)
				i++
			}
		}
	})
	b.Run("Next", func(b *testing.B) {
		key := Nil
		for range b.N {
			key, _, _, _ = table.Next(key)
		}
	})
}

func BenchmarkLibrary(b *testing.B) {
	for name, script := range map[string]string{
		"find":   `local s = "user:1234:session" for i = 1, 1000 do local a = s:find(":%d+:") end`,
		"plain":  `local s = "user:1234:session" for i = 1, 1000 do local a = s:find("session", 1, true) end`,
		"gsub":   `local s = "a-b-c-d" for i = 1, 1000 do local a = s:gsub("-", "+") end`,
		"match":  `local s = "key=value" for i = 1, 1000 do local a, b = s:match("(%w+)=(%w+)") end`,
		"format": `for i = 1, 1000 do local a = string.format("%s:%d:%.2f", "key", i, 0.5) end`,
		"sub":    `local s = "user:1234:session" for i = 1, 1000 do local a = s:sub(6, 9) end`,
		"concat": `local t = {} for i = 1, 1000 do t[i] = "x" end local s = table.concat(t, ",")`,
		"insert": `local t = {} for i = 1, 1000 do table.insert(t, i) end`,
		"sort":   `local t = {} for i = 1, 1000 do t[i] = (i * 7919) % 1009 end table.sort(t)`,
		"floor":  `local f = math.floor for i = 1, 1000 do local a = f(i / 3) end`,
		"pow":    `for i = 1, 1000 do local a = i ^ 0.3 end`,
	} {
		b.Run(name, func(b *testing.B) {
			s := newLibraryState(Options{})
			f := s.function(b, script)
			b.ReportAllocs()
			for range b.N {
				if _, err := s.Main().Run(f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
