package lua

import "testing"

// benchmarkScript runs a script again and again, as EVALSHA does.
func benchmarkScript(b *testing.B, source string) {
	s := newLibraryState(Options{Limit: 256 << 20})
	p, err := Load(source, "@user_script")
	if err != nil {
		b.Fatal(err)
	}
	fn := s.NewFunction(p)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Main().Run(fn); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReturnOne(b *testing.B) { benchmarkScript(b, `return 1`) }

func BenchmarkMillionAdditions(b *testing.B) {
	benchmarkScript(b, `local x = 0 for i = 1, 1000000 do x = x + i end return x`)
}

func BenchmarkFibonacci(b *testing.B) {
	benchmarkScript(b, `local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
		return fib(20)`)
}

func BenchmarkTableFill(b *testing.B) {
	benchmarkScript(b, `local t = {} for i = 1, 10000 do t[i] = i end
		local s = 0 for i = 1, 10000 do s = s + t[i] end return s`)
}

func BenchmarkPairs(b *testing.B) {
	benchmarkScript(b, `local t = {} for i = 1, 1000 do t['k' .. i] = i end
		local s = 0 for k, v in pairs(t) do s = s + v end return s`)
}

func BenchmarkFields(b *testing.B) {
	benchmarkScript(b, `local t = {x = 1, y = 2} for i = 1, 100000 do t.x = t.x + t.y end return t.x`)
}

func BenchmarkNatives(b *testing.B) {
	benchmarkScript(b, `local n = 0 for i = 1, 100000 do n = n + math.floor(1.5) end return n`)
}

func BenchmarkConcat(b *testing.B) {
	benchmarkScript(b, `local n = 0 for i = 1, 10000 do local s = 'key:' .. i n = n + #s end return n`)
}

func BenchmarkClosures(b *testing.B) {
	benchmarkScript(b, `local n = 0 for i = 1, 10000 do local f = function() return i end n = n + f() end return n`)
}

func BenchmarkCoroutines(b *testing.B) {
	benchmarkScript(b, `local f = coroutine.wrap(function() for i = 1, 10000 do coroutine.yield(i) end end)
		for i = 1, 10000 do f() end`)
}

func BenchmarkMethods(b *testing.B) {
	benchmarkScript(b, `local n = 0 local s = 'abcdef' for i = 1, 10000 do n = n + #s:sub(2, 3) end return n`)
}
