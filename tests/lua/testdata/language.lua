return 1, 'a', nil, true, false, 1.5, {}, {1, 2, {3}}
--------
return 1 + 2 * 3 - 4 / 8 % 3 ^ 2, -2 ^ 2, 2 ^ 3 ^ 2, not nil == true, 1 .. 2 .. 3
--------
return 7 % 3, -7 % 3, 7 % -3, -7 % -3, 7.5 % 2, -7.5 % 2, 5 % math.huge, -5 % math.huge, 0 % 5
--------
return 1 / 0, -1 / 0, 0 / 0 ~= 0 / 0, 2 ^ 0.5, 2 ^ -1, 10 ^ 15, 2 ^ 53
--------
local z, o = 0, 1 return o / z, -o / z, z / z, z % z, o % z, -z, 0 - z
--------
return '10' + 5, '0x10' + 0, ' 12 ' * 2, '1e2' - 1, -'3', '10' / '4', '2' ^ '3', '7' % '4'
--------
return 'a' .. 1, 1 .. 'b', 1.5 .. '', -0 .. '', 1e15 .. '', 1e14 .. '', 2 ^ 53 .. '', 1e100 .. ''
--------
return 'a' + 1
--------
return 1 + 'x'
--------
local t = {} return t + 1
--------
local t = {} return 1 + t
--------
local t = {} return t.x + 1
--------
local t = {} return 1 + t.x.y
--------
local t = {a = {}} return t.a.b.c
--------
local f f()
--------
local t = {} t.f()
--------
local t = {} t:f()
--------
local t = {} t['f']()
--------
local t = {} t[1]()
--------
local t = {} t.x.y = 1
--------
local t = {} t.x.y()
--------
local x = 5 x.y = 1
--------
local x = 5 return x.y
--------
local x = 'abc' return x.y
--------
local x = 'abc' x.y = 1
--------
local x = 'abc' return x:len(), x:upper(), ('x'):rep(3), #x
--------
local x = 'abc' return x:nothing()
--------
local up = nil local function f() return up.x end return f()
--------
local up = nil local function f() up() end f()
--------
local up = nil local function f() return up + 1 end f()
--------
return ('x')()
--------
return (1)()
--------
return ({})()
--------
return #5
--------
local a return #a
--------
return #nil
--------
local t = {} return #t.x
--------
return -{}
--------
local a = {} return -a
--------
return - nil
--------
return {} < {}
--------
return {} < 1
--------
return 1 < 'x'
--------
return 'x' < 1
--------
return nil < 1
--------
return nil > 1
--------
return {} <= {}
--------
return true < false
--------
return next < tostring
--------
return function() end < 1
--------
return 1 < 2, 1 <= 1, 2 > 1, 1 >= 2, 'a' < 'b', 'a' < 'B', 'a' <= 'a', '' < 'a', 'a\0b' < 'a\0c', 'Z' < 'a'
--------
return 1 == '1', 'a' == 'a', {} == {}, nil == false, 0 == -0, 1 ~= 1, 'a' ~= 'b'
--------
local n = 0/0 return n == n, n ~= n, n < n, n <= n, n > n
--------
return 'a' .. {}
--------
return {} .. 'a'
--------
return 'a' .. nil
--------
local x return 'a' .. x
--------
local x return x .. 'a'
--------
local t = {} return 'a' .. t.x .. 'b'
--------
local a, b, c = 'x', {}, 'y' return a .. b .. c
--------
local a, b, c = 'x', 1, nil return a .. b .. c
--------
return 1 .. nil
--------
local t = {} t[nil] = 1
--------
local t = {} t[0/0] = 1
--------
local t = {} return t[nil], t[0/0]
--------
for i = 1, 'x' do end
--------
for i = 'a', 2 do end
--------
for i = 1, 2, {} do end
--------
for i = nil, 2 do end
--------
local t = {} for i = '1', '3' do t[#t + 1] = i end return t
--------
local t = {} for i = 1, 2, 0.25 do t[#t + 1] = i end return t
--------
local t = {} for i = 3, 1, -1 do t[#t + 1] = i end return t
--------
local t = {} for i = 1, 0 do t[#t + 1] = i end return t
--------
local n = 0 for i = 1, 0, 0 do n = n + 1 if n > 3 then break end end return n
--------
local n = 0 for i = 0, 1, 0.1 do n = n + 1 end return n
--------
local t = {} for i = 1, 3 do local j = i i = 10 t[#t + 1] = j end return t
--------
local t = {} for i = 1, 3 do t[i] = function() return i end end return t[1](), t[2](), t[3]()
--------
local t = {} for _, v in ipairs({1, 2, 3}) do t[#t + 1] = function() v = v + 1 return v end end return t[1](), t[1](), t[2]()
--------
local t = {} local i = 0 while i < 3 do local j = i t[#t + 1] = function() j = j + 1 return j end i = i + 1 end return t[1](), t[1](), t[2](), t[3]()
--------
local t = {} local i = 0 repeat local j = i t[#t + 1] = function() return j end i = i + 1 until j >= 2 return t[1](), t[2](), t[3](), #t
--------
local t = {} local i = 0 repeat local j = i t[#t + 1] = function() j = j + 10 return j end i = i + 1 if i == 2 then break end until j >= 5 return t[1](), t[2](), #t
--------
for k in nil do end
--------
for k in 5 do end
--------
local t = {} for k in t do end
--------
for k in pairs(nil) do end
--------
for k in ipairs() do end
--------
for k, v in next, nil do end
--------
for k, v in next, {}, 'x' do end
--------
local s = '' for k, v in pairs({1, 2, 3, a = 1, b = 2, c = 3, [10] = 4}) do s = s .. tostring(k) .. '=' .. tostring(v) .. ' ' end return s
--------
local s = '' for k, v, extra in next, {1, 2} do s = s .. tostring(k) .. tostring(v) .. tostring(extra) end return s
--------
local s = '' for k in next, {1, 2} do s = s .. k end return s
--------
local function iter(s, i) if i < s then return i + 1, i * 2, 'x' end end
local s = '' for a, b, c, d in iter, 3, 0 do s = s .. a .. b .. c .. tostring(d) end return s
--------
local a, b, c = (function() return 1, 2, 3 end)() return a, b, c
--------
local a, b, c = (function() return 1, 2 end)(), 10 return a, b, c
--------
local a, b, c = ((function() return 1, 2, 3 end)()) return a, b, c
--------
local a, b = 1 return a, b
--------
local a, b = 1, 2, 3 return a, b
--------
local a, b = 1, 2 a, b = b, a return a, b
--------
local t, i = {1, 2}, 1 i, t[i] = i + 1, 20 return i, t
--------
local a = {} local i = 3 i, a[i], i = 1, 2, 4 return i, a[3], a[1]
--------
local t = {} t.a, t.b, t.c = (function() return 1, 2 end)() return t.a, t.b, t.c
--------
local t = {(function() return 1, 2, 3 end)()} return #t, t
--------
local t = {(function() return 1, 2, 3 end)(), 10} return #t, t
--------
local t = {1, 2, x = 5, (function() return 3, 4 end)()} return #t, t.x, t
--------
local t = {[1] = 'a', 'b', [2] = 'c'} return t
--------
local t = {1, nil, 3} return #t, t[3]
--------
local t = {n = 1, [1 + 1] = 2, ['x y'] = 3; 4} return t.n, t[2], t['x y'], t[1]
--------
local t = {} for i = 1, 130 do t[i] = i end t[130] = nil t[129] = nil return #t
--------
return #{1, 2, 3, nil}, #{1, 2, nil, 4}, #{nil}, #{nil, 2}, #{n = 1}
--------
local t = {1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33,34,35,36,37,38,39,40,41,42,43,44,45,46,47,48,49,50,51,52,53,54,55,56,57,58,59,60,61,62,63,64,65,66,67,68,69,70,71,72,73,74,75,76,77,78,79,80,81,82,83,84,85,86,87,88,89,90,91,92,93,94,95,96,97,98,99,100} return #t, t[50], t[51], t[100]
--------
local t = {1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33,34,35,36,37,38,39,40,41,42,43,44,45,46,47,48,49,50,unpack({51,52,53})} return #t, t[53]
--------
return (function(...) return select('#', ...) end)(), (function(...) return select('#', ...) end)(nil, nil)
--------
return (function(a, ...) return a, ... end)(1, 2, 3)
--------
return (function(a, b, ...) local x, y = ... return a, b, x, y end)(1, 2, 3)
--------
return (function(...) local t = {...} return #t, t[2] end)(1, 2, 3)
--------
return (function(...) return arg end)(1, 2)
--------
return (function(...) return arg.n, arg[1], arg[2] end)(1, 2)
--------
return (function(a, ...) return a, arg.n, arg[1] end)(1, nil, 3)
--------
return (function(...) local x = ... return arg end)(1, 2)
--------
return (function(...) return (...) end)(1, 2)
--------
return (function(...) return ..., 'end' end)(1, 2)
--------
return (function(...) local function f() return 1 end return f(...), ... end)(1, 2)
--------
return select(2, 'a', 'b', 'c'), select(-1, 'a', 'b', 'c')
--------
return select(0, 1)
--------
return select(-5, 1)
--------
return select()
--------
return select('x')
--------
return select(5, 1, 2)
--------
return select('#')
--------
return unpack({1, 2, 3}), unpack({1, 2, 3}, 2), unpack({1, 2, 3}, 2, 3), unpack({}, 1, 3)
--------
return unpack({1, 2, 3}, -1, 1)
--------
return unpack()
--------
return unpack({}, 1, 1e7)
--------
return unpack({}, 1, 7000) == nil
--------
return unpack({}, 1, 8000)
--------
return unpack({}, 1, 2 ^ 31)
--------
return unpack({}, -2 ^ 31, 2 ^ 31 - 1)
--------
return unpack({}, 1, 'x')
--------
return pcall()
--------
return pcall(1)
--------
return pcall(nil)
--------
return pcall(function() end)
--------
return pcall(function(...) return ... end, 1, nil, 3)
--------
return pcall(error)
--------
return pcall(error, nil)
--------
return pcall(error, 'x')
--------
return pcall(error, 'x', 0)
--------
return pcall(error, 'x', 1)
--------
return pcall(error, 'x', 2)
--------
return pcall(error, 5)
--------
return pcall(error, {1, 2})
--------
return pcall(error, true)
--------
error('message')
--------
error('message', 0)
--------
error('message', 2)
--------
error('message', 3)
--------
error(12)
--------
error()
--------
error({1, 2})
--------
local function f() error('deep', 1) end f()
--------
local function f() error('deep', 2) end
f()
--------
local function f() error('deep', 3) end
local function g() f() return 1 end
g()
--------
local function f() return error('tail') end
f()
--------
local function f() error('x', 2) end
local function g() return f() end
g()
--------
assert(false)
--------
assert(nil, 'message')
--------
assert(false, 12)
--------
assert(false, {})
--------
assert()
--------
return assert(1, 2, 3)
--------
return xpcall(function() return 1, 2 end, function() end)
--------
return xpcall(function() error('x') end, function(e) return e .. '!' end)
--------
return xpcall(function() error('x', 0) end, function(e) return e, 1, 2 end)
--------
return xpcall(function() error() end, function(e) return e end)
--------
return xpcall(function() local x = nil + 1 end, function(e) return {e} end)
--------
return xpcall(function(...) return select('#', ...) end, function(e) return e end, 1, 2)
--------
return xpcall(function() error('x') end, nil)
--------
return xpcall(function() error('x') end, 5)
--------
return xpcall(function() error('x') end)
--------
return xpcall(5, function(e) return e end)
--------
return xpcall(function() error('x') end, function(e) error('y') end)
--------
return xpcall(function() error({}) end, function(e) return e .. 'x' end)
--------
local n = 0 return xpcall(function() error('x', 0) end, function(e) n = n + 1 if n < 5 then error('again' .. n, 0) end return e end), n
--------
return pcall(pcall)
--------
return pcall(pcall, error, 'x')
--------
return pcall(xpcall, error, function() return 5 end)
--------
return type(1), type('x'), type(nil), type({}), type(next), type(type), type(true), type(coroutine.create(function() end))
--------
return type()
--------
return tostring(1), tostring('x'), tostring(nil), tostring(true), tostring(1e15), tostring(-0), tostring(0.1), tostring(1e300 * 1e10)
--------
return tostring()
--------
return tostring({}):match('^table: 0x') ~= nil, tostring(type):match('^function: 0x') ~= nil, tostring(function() end):match('^function: 0x') ~= nil
--------
return tostring(setmetatable({}, {__tostring = function() return 'shown' end}))
--------
return tostring(setmetatable({}, {__tostring = function() return 5 end}))
--------
return tostring(setmetatable({}, {__tostring = function() end}))
--------
return tostring(setmetatable({}, {__tostring = 5}))
--------
return tonumber('10'), tonumber('0x1F'), tonumber(' 5 '), tonumber('5x'), tonumber(''), tonumber(' '), tonumber('1e1'), tonumber('.5'), tonumber('5.'), tonumber('.'), tonumber({}), tonumber(nil), tonumber(true)
--------
return tonumber()
--------
return tonumber('ff', 16), tonumber('FF', 16), tonumber('0xff', 16), tonumber('zz', 36), tonumber('8', 8), tonumber('11', 2), tonumber('-11', 2), tonumber(' 11 ', 2), tonumber('1 1', 2), tonumber('', 2), tonumber('-ff', 16), tonumber('99999999999999999999', 16), tonumber('0x', 16)
--------
return tonumber('1', 1)
--------
return tonumber('1', 37)
--------
return tonumber({}, 16)
--------
return tonumber(10, 16), tonumber(1.5, 16)
--------
return tonumber('10', 10), tonumber('10', 10.9), tonumber('1e1', 10), tonumber('1e1', 16)
--------
return rawequal(1, 1), rawequal('a', 'a'), rawequal({}, {}), rawget({5}, 1), rawset({}, 1, 2)
--------
return rawequal(1)
--------
return rawget(1, 1)
--------
return rawget({})
--------
return rawset({}, 1)
--------
return rawset({}, nil, 1)
--------
return rawset({}, 0/0, 1)
--------
return next({}), next({5}), next({5}, 1), next({a = 1})
--------
return next({}, 1)
--------
return next()
--------
return next({}, nil)
--------
return setmetatable({}, 1)
--------
return setmetatable({})
--------
return setmetatable(1, {})
--------
return getmetatable(setmetatable({}, {__metatable = 'locked'}))
--------
return setmetatable(setmetatable({}, {__metatable = 'locked'}), {})
--------
return getmetatable('x').__index == string, getmetatable(1), getmetatable({}), getmetatable(nil)
--------
return getmetatable()
--------
local t = setmetatable({}, {__index = function(t, k) return k .. '!' end}) return t.x, t[1], t['a b']
--------
local t = setmetatable({}, {__index = {x = 1}}) return t.x, t.y
--------
local a = setmetatable({}, {__index = setmetatable({}, {__index = {deep = 1}})}) return a.deep
--------
local t = setmetatable({}, {__index = 5}) return t.x
--------
local t = {} setmetatable(t, {__index = t}) return t.x
--------
local t = {} setmetatable(t, {__newindex = t}) t.x = 1
--------
local log = {} local t = setmetatable({}, {__newindex = function(t, k, v) log[#log + 1] = k rawset(t, k, v) end}) t.x = 1 t.x = 2 t.y = 3 return log, t.x, t.y
--------
local s = {} local t = setmetatable({}, {__newindex = s}) t.x = 1 return rawget(t, 'x'), s.x
--------
local t = setmetatable({}, {__newindex = 5}) t.x = 1
--------
local t = setmetatable({}, {__newindex = function() end}) t[nil] = 1
--------
local t = setmetatable({}, {__call = function(self, ...) return select('#', ...), ... end}) return t(), t(1), t(1, nil)
--------
local t = setmetatable({}, {__call = 5}) return t()
--------
local t = setmetatable({}, {__call = setmetatable({}, {__call = function() return 1 end})}) return t()
--------
local m = {} for _, op in ipairs({'add', 'sub', 'mul', 'div', 'mod', 'pow', 'concat'}) do m['__' .. op] = function(a, b) return op .. (type(a) == 'table' and 'L' or tostring(a)) .. (type(b) == 'table' and 'R' or tostring(b)) end end
local t = setmetatable({}, m) return t + 1, 1 - t, t * t, t / 2, t % 3, 2 ^ t, t .. 'x', 'x' .. t, 1 .. t, t .. t
--------
local m = {__concat = function(a, b) return (type(a) == 'table' and 'T' or a) .. '|' .. (type(b) == 'table' and 'T' or b) end}
local t = setmetatable({}, m) return 'a' .. 'b' .. t .. 'c' .. 'd', t .. 1 .. 2
--------
local t = setmetatable({}, {__unm = function(a, b) return a == b and 'same' end}) return -t
--------
local t = setmetatable({}, {__len = function() return 42 end}) return #t
--------
local m = {__eq = function() return true end} local a, b = setmetatable({}, m), setmetatable({}, m) return a == b, a ~= b, a == {}, a == 1
--------
local a, b = setmetatable({}, {__eq = function() return true end}), setmetatable({}, {__eq = function() return true end}) return a == b
--------
local m = {__eq = function() return 5 end} local a, b = setmetatable({}, m), setmetatable({}, m) return a == b
--------
local m = {__lt = function(a, b) return a.v < b.v end} local a, b = setmetatable({v = 1}, m), setmetatable({v = 2}, m) return a < b, a > b, a <= b, a >= b
--------
local m = {__le = function(a, b) return a.v <= b.v end} local a, b = setmetatable({v = 1}, m), setmetatable({v = 2}, m) return a <= b, a >= b, pcall(function() return a < b end)
--------
local a = setmetatable({}, {__lt = function() return true end}) return a < {}
--------
local a = setmetatable({}, {__lt = function() return true end}) return a < 1
--------
local m = {__add = function(a, b) return 'meta' end} return setmetatable({}, m) + {}, {} + setmetatable({}, m)
--------
local t = setmetatable({}, {__add = 5}) return t + 1
--------
local t = setmetatable({}, {__index = function(t, k) error('no ' .. k) end}) return t.x
--------
local t = setmetatable({}, {__index = function(t, k) error('no ' .. k, 2) end})
return t.x
--------
local co = coroutine.create(function(a, b) local c = coroutine.yield(a + b) local d, e = coroutine.yield(c * 2) return d + e end)
local r = {coroutine.resume(co, 1, 2)} local s = {coroutine.resume(co, 10)} local u = {coroutine.resume(co, 3, 4)} return r, s, u, coroutine.status(co), coroutine.resume(co)
--------
local co = coroutine.wrap(function() error('inside') end) return co()
--------
local co = coroutine.wrap(function() error('inside', 0) end) return co()
--------
local co = coroutine.wrap(function() error({}) end) return type(select(2, pcall(co)))
--------
local co = coroutine.wrap(function() return 1 end) co() return co()
--------
local co = coroutine.create(function() error('inside') end) return coroutine.resume(co), coroutine.status(co)
--------
local co = coroutine.create(function() error({5}) end) return coroutine.resume(co)
--------
local co = coroutine.create(function() error('x') end) coroutine.resume(co) return coroutine.resume(co)
--------
return coroutine.yield(1)
--------
return coroutine.running()
--------
return coroutine.wrap(function() return type(coroutine.running()), coroutine.status(coroutine.running()) end)()
--------
local co co = coroutine.create(function() return coroutine.status(co), coroutine.resume(co) end) return coroutine.resume(co)
--------
local co1, co2 co1 = coroutine.create(function() return coroutine.resume(co2) end) co2 = coroutine.create(function() return coroutine.status(co1), coroutine.resume(co1) end) return coroutine.resume(co1)
--------
return coroutine.create(1)
--------
return coroutine.create(next)
--------
return coroutine.create(tostring)
--------
return coroutine.wrap()
--------
return coroutine.resume()
--------
return coroutine.resume(1)
--------
return coroutine.status({})
--------
return coroutine.wrap(function() pcall(coroutine.yield, 1) return 'after' end)()
--------
return coroutine.wrap(function() return pcall(function() coroutine.yield(1) end) end)()
--------
return coroutine.wrap(function() local t = setmetatable({}, {__index = function() coroutine.yield(5) end}) return t.x end)()
--------
return coroutine.wrap(function() table.sort({3, 2, 1}, function(a, b) coroutine.yield() end) end)()
--------
return coroutine.wrap(function() for x in coroutine.yield do end end)()
--------
return coroutine.wrap(function() for x in function() return coroutine.yield(1) end do end end)()
--------
local gen = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end) local t = {} for v in gen do t[#t + 1] = v end return t
--------
local co = coroutine.wrap(function(...) return select('#', ...), coroutine.yield(...) end) return co(1, nil), co(nil, nil)
--------
local co = coroutine.wrap(function() return coroutine.yield(1) end) return co(), co(2, 3)
--------
local co = coroutine.wrap(function() local a = {coroutine.yield()} return #a, a end) co() return co(1, 2, 3)
--------
local co = coroutine.wrap(function() local x = 'a' .. coroutine.yield() .. 'b' return x end) co() return co('mid')
--------
local function gen(n) return coroutine.wrap(function() for i = 1, n do coroutine.yield(i) end end) end
local function filter(p, g) return coroutine.wrap(function() for x in g do if x % p ~= 0 then coroutine.yield(x) end end end) end
local t = {} local g = gen(30) g() while true do local n = g() if not n then break end t[#t + 1] = n g = filter(n, g) end return t
--------
local function deep(n) if n == 0 then coroutine.yield('bottom') return 'done' end return (deep(n - 1)) end
local co = coroutine.wrap(deep) return co(1000), co()
--------
local f = function(n) local co = coroutine.wrap(function(f, n) if n == 0 then return 0 end return 1 + coroutine.wrap(f)(f, n - 1) end) return co end
local function nest(n) if n == 0 then return 0 end return 1 + coroutine.wrap(nest)(n - 1) end
return nest(100)
--------
local function nest(n) if n == 0 then return 0 end return 1 + coroutine.wrap(nest)(n - 1) end
return (select(2, pcall(nest, 300)):gsub('user_script:%d+: ', ''))
--------
local depth = 0 local function nest() depth = depth + 1 return pcall(nest) end local r = {nest()} return depth, #r, r[#r]
--------
local depth = 0 local t = setmetatable({}, {__index = function(t, k) depth = depth + 1 return t[k + 1] end}) local ok, e = pcall(function() return t[1] end) return ok, e, depth
--------
local depth = 0 local function f() depth = depth + 1 string.gsub('a', 'a', f) end local ok, e = pcall(f) return ok, e, depth
--------
local depth = 0 local function f() depth = depth + 1 return 1 + f() end local ok, e = pcall(f) return ok, e, depth
--------
local depth = 0 local function f() depth = depth + 1 return 1 + f() end pcall(f) depth = 0 local ok, e = pcall(f) return ok, e, depth
--------
local depth = 0 local function f() depth = depth + 1 local ok, e = pcall(f) if not ok then error(e, 0) end return depth end return f()
--------
local n = 0 local function f(i) n = n + 1 if i == 0 then return n end return f(i - 1) end return f(100000)
--------
local co = coroutine.wrap(function() local depth = 0 local function f() depth = depth + 1 return 1 + f() end local ok, e = pcall(f) return ok, e, depth end) return co()
--------
return loadstring('return 1 + 1')()
--------
return loadstring('return ...')(1, 2)
--------
return loadstring('x =')
--------
return loadstring('x =', '=name')
--------
return loadstring('x =', '@name')
--------
return loadstring('x =\ny y', 'long\nname')
--------
return loadstring('error("x")')
--------
return pcall(loadstring('error("x")'))
--------
return pcall(loadstring('\n\nlocal a = nil + 1', '=chunk'))
--------
return loadstring('\27Lua')
--------
return loadstring('')()
--------
return loadstring()
--------
return loadstring({})
--------
return loadstring('return 1', 5)()
--------
local parts = {'return ', '1', '+', '2'} local i = 0 return load(function() i = i + 1 return parts[i] end)()
--------
return load(function() return nil end)()
--------
return load(function() error('reader') end)
--------
return load(function() return {} end)
--------
return load('return 1')
--------
return load()
--------
local i = 0 return load(function() i = i + 1 if i == 1 then return 'error("x")' end end, '=named')
--------
return collectgarbage('collect'), collectgarbage('stop'), collectgarbage('restart'), collectgarbage('setpause', 200), collectgarbage('setstepmul', 200), type(collectgarbage('count')), type(collectgarbage('step'))
--------
return collectgarbage()
--------
return collectgarbage('nothing')
--------
return collectgarbage({})
--------
return type(gcinfo())
--------
return _VERSION, type(_G), _G.string == string
--------
return string.rep
--------
return string.rep()
--------
return ('x'):rep()
--------
return ('x'):rep({})
--------
return ('x'):bad()
--------
local r = string.rep return r()
--------
local t = {r = string.rep} return t.r()
--------
local t = {r = string.rep} return t:r(1)
--------
local t = {r = string.rep} return t:r({})
--------
return string.rep('x', 'y')
--------
return pcall(string.rep)
--------
return pcall(string.rep, {}, 1)
--------
return (string.rep)()
--------
local s = string return s.rep({}, 1)
--------
return tostring(string.rep())
--------
return string.rep(nil, nil)
--------
for x in string.rep do end
--------
local up = string.rep return (function() return up() end)()
--------
local t = setmetatable({}, {__index = string.rep}) return t.x
--------
local t = setmetatable({}, {__add = string.rep}) return t + 1
--------
local x
local y = 5
return y +
  x
--------
local x
return x
  .y
--------
local x = {}
return x
  .y
  .z
--------
local x = {}
x.f(
  1,
  2
)
--------
local f = function() error('here') end
f(
  1
)
--------
local t = {
  1,
  nil + 1,
}
--------
local t = {
  a = 1,
  b = ('x').y.z,
  c = 3
}
--------
local s = 'a' ..
  {} ..
  'b'
--------
if nil + 1 then
end
--------
while
  nil + 1 do
end
--------
repeat
until nil +
  1
--------
for i = 1,
  nil do
end
--------
for k in
  nil do
end
--------
local function f()
  return nil
    + 1
end
f()
--------
local a = 1
a
.b
.c = 5
--------
local a = {}
a.b.c,
a.d = 1, 2
--------
local t = {}
t[
nil
] = 5
--------
return #
nil
--------
return -
{}
--------
return not nil, not 0, not '', not false, not not nil
--------
return nil and 1, false and 1, 1 and 2, nil or 1, false or nil, 1 or 2, nil and nil or 3
--------
local function t(...) return ... end return t(1) and t(2) or t(3), t(nil) and t(2) or t(3), (t(1) or error('x'))
--------
local a, b, c = 1, nil, 3 return a and b or c, a or b and c, not a or b, not (a and b), a == 1 and b == nil, (a == 2) == (b ~= nil)
--------
local x = 5 local r if x > 3 and x < 10 then r = 'in' elseif x == 3 then r = 'eq' else r = 'out' end return r
--------
local x = 5 return x > 3 and x < 10, x > 3 or error('no'), x < 3 and error('no'), (x > 3) == true, not (x > 3)
--------
local t = {} for i = 1, 3 do for j = 1, 3 do if j == 2 then break end t[#t + 1] = i * 10 + j end end return t
--------
local i = 0 while true do i = i + 1 if i > 5 then break end end return i
--------
local a = {} do local x = 1 a.get = function() return x end a.set = function(v) x = v end end a.set(7) return a.get()
--------
local function counter() local n = 0 return function() n = n + 1 return n end end local a, b = counter(), counter() return a(), a(), b(), a()
--------
local function f(a, b, c) return c, b, a end return f(1), f(1, 2, 3, 4), (f(1, 2))
--------
local t = {} function t.a.b() end
--------
local t = {a = {}} function t.a.b(x) return x end function t.a:c(x) return self == t.a, x end return t.a.b(1), t.a:c(2)
--------
local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end return fib(15)
--------
local s = 0 for i = 1, 1000 do s = s + i % 7 * 2 end return s
--------
return 0xff, 0XA, 1e3, 1E-2, .5, 3., 0x7fffffff, 1e308 * 10
--------
return "a\nb\t\\\"\065\x", 'a\'b', [[
line]], [==[a]]b]==], "a\
b"
--------
return #"\0ab\0", "\0" == "\0", "a\0b" == "a\0c"
--------
local a <const> = 5
--------
return 5 // 2
--------
goto x
--------
return 1 ~= 2, 1 != 2
--------
local t = {10, 20, 30} t[2] = nil return #t, t[3], next(t, 1)
--------
local t = {} t[1.0] = 'a' t['1'] = 'b' t[1.5] = 'c' t[-0] = 'd' return t[1], t['1'], t[1.5], t[0], t[-0]
--------
local t = {} t[2 ^ 53] = 1 t[1e300] = 2 t[-1] = 3 t[true] = 4 return t[2 ^ 53], t[1e300], t[-1], t[true], t[false]
--------
local s = '' local t = {} for i = 1, 20 do t['key' .. i] = i end for k, v in pairs(t) do s = s .. k .. '=' .. v .. ',' end return s
--------
local s = '' local t = {} for i = 20, 1, -1 do t[i * 3] = i end for i = 1, 10 do t[i * 6] = nil end for k, v in pairs(t) do s = s .. k .. '=' .. v .. ',' end return s
--------
local t = {} for i = 1, 10 do t['k' .. i] = i end local n = 0 for k in pairs(t) do t[k] = nil n = n + 1 end return n, next(t)
--------
local t = {a = 1, b = 2, c = 3} for k in pairs(t) do t[k] = t[k] * 2 end return t.a, t.b, t.c
--------
for k in pairs({1}) do local t = {} t.x.y = k end
--------
return table.concat({1, 2, {}}, ',')
--------
return ('%d'):format('x')
--------
return math.floor({})
--------
return math.floor()
--------
return ipairs(nil)
--------
return pairs()
--------
local t = setmetatable({}, {__index = function(t, i) if i < 4 then return i end end}) local n = 0 for i, v in ipairs(t) do n = n + v end return n
--------
local t = setmetatable({}, {__pairs = function() return error end}) for k in pairs(t) do end return 'no __pairs'
--------
local a = {} a[1], a[2], a[3] = 1, 2 return #a
--------
local a; local b = a and a.x; local c = a or {x = 1}; return b, c.x
--------
local function f() end return (f()), f(), (f())
--------
local function f() end local t = {f(), f()} return #t, select('#', f(), f()), select('#', (f()))
--------
return (function() end)() == nil
--------
return type(nil), pcall(type)
--------
local ok, e = pcall(function() local t = nil; t.x = 1 end) return e
--------
local ok, e = pcall(function() string.x.y = 1 end) return e
--------
local ok, e = pcall(function() return string.x.y end) return e
--------
local ok, e = pcall(function() string.nope() end) return e
--------
local a1,a2,a3,a4,a5,a6,a7,a8,a9 = 1,2,3,4,5,6,7,8,9 return a1 .. a2 .. a3 .. a4 .. a5 .. a6 .. a7 .. a8 .. a9, a1 + a2 * a3 - a4 / a5 ^ a6 % a7
--------
local t = {} for i = 1, 300 do t[#t + 1] = 'x' .. i .. ' = ' .. i end local f = loadstring('local t = {' .. table.concat(t, ',') .. '} return t.x1, t.x255, t.x256, t.x257, t.x300') return f()
--------
local t = {} for i = 1, 300 do t[#t + 1] = tostring(i + 0.5) end local f = loadstring('return ' .. table.concat(t, '+')) return f()
--------
local t = {} for i = 1, 300 do t[#t + 1] = "x['k" .. i .. "'] = " .. (i + 0.5) end local f = loadstring('local x = {} ' .. table.concat(t, ' ') .. " return x.k300, x['k299'], x.k1 + x.k300, x.k300.y") return pcall(f)
--------
local t = {} for i = 1, 249 do t[#t + 1] = 'f(' end local s = table.concat(t) .. table.concat(t):gsub('f%(', ')') return loadstring('return ' .. s)
--------
local t = {} for i = 1, 100 do t[#t + 1] = 'a' .. i end return loadstring('local ' .. table.concat(t, ',') .. ' local ' .. table.concat(t, ',') .. ' return 1')()
--------
local t = {} for i = 1, 260 do t[#t + 1] = i end return (select('#', loadstring('return ' .. table.concat(t, ','))))
--------
local s = 'return ' .. ('('):rep(150) .. '1' .. (')'):rep(150) return loadstring(s)()
--------
local s = 'return ' .. ('('):rep(250) .. '1' .. (')'):rep(250) return loadstring(s)
--------
local s = 'local x = 0 ' .. ('x = x + 1 '):rep(2000) .. 'return x' return loadstring(s)()
--------
local s = 'local x = 0 while x < 2 do ' .. ('x = x + 1 '):rep(2000) .. ' end return x' return loadstring(s)()
--------
local s = 'local x while x do ' .. ('local a = b.c.d '):rep(50000) .. ' end' return loadstring(s)
--------
local a = 1; local function f() return a end; a = 2; return f()
--------
local f do local a = 1 f = function() a = a + 1 return a end end return f(), f()
--------
local fs = {} for i = 1, 3 do local x = i * 10 fs[i] = {function() x = x + 1 return x end, function() return x end} end fs[1][1]() fs[2][1]() fs[2][1]() return fs[1][2](), fs[2][2](), fs[3][2]()
--------
local function f(...) local a, b = ..., 5 return a, b end return f(1, 2)
--------
local function f(n) if n > 0 then return n, f(n - 1) end end return f(5)
--------
local t = {f = function(self, x) return x end} return t:f(1), t.f(t, 2), t['f'](t, 3)
--------
local t = {n = 0} function t:inc(d) self.n = self.n + (d or 1) return self end return t:inc():inc(5):inc().n
--------
local co = coroutine.create(function() local x <close> = 1 end)
--------
return math.max(unpack({1, 5, 3})), #{unpack({1, 2, 3})}, {unpack({1, 2}), unpack({3, 4})}
--------
local t = {} t[1] = 1 t[2] = 2 t[4] = 4 return #t
--------
local t = {nil, nil, 3} return #t
--------
local ok, e = pcall(function() local a = 'x' return a < 5 end) return e
--------
return ('x' .. 5) + 1
--------
return 5 .. ''
--------
local t = {} t.x = t.x or {} t.x.y = (t.x.y or 0) + 1 return t.x.y
--------
local a, b, c, d = 1, 2, 3 local function f() return a, b, c, d end return f()
--------
local x = 1 local function f() x = x + 1 return x end return f() + f() * f(), x
--------
local t = {1} local i = 1 t[i], i = i + 1, 5 return t, i
--------
local s = 0 for i = 10, 1, -3 do s = s * 100 + i end return s
--------
return 2 ^ 31, 2 ^ 32, -2 ^ 31, 1e16, 123456789012345678, 0.1 + 0.2, 1 / 3, 100 / 3
--------
return 3 == 3.0, '3' == 3, 1e2 == 100, 0.1 + 0.2 == 0.3
--------
local t = nil
return (t)
:x()
--------
return (nil):x()
--------
return (5)
.x
--------
local function f() end

return f():x()
--------
local function f() end
return f()
.x
.y