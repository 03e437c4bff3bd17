cjson.encode_sparse_array(false, 2, 10)
cjson.encode_max_depth(1000)
cjson.decode_max_depth(1000)
cjson.encode_number_precision(14)
cjson.encode_keep_buffer(true)
cjson.encode_invalid_numbers(false)
cjson.decode_invalid_numbers(true)

local function quote(s)
  return '"' .. string.gsub(s, '[%c"\\\127-\255]', function(c) return string.format('\\x%02x', string.byte(c)) end) .. '"'
end

local function show(v, depth)
  local kind = type(v)
  if kind == 'string' then return quote(v) end
  if kind == 'number' then return string.format('%.17g', v) end
  if kind == 'function' then return kind end
  if kind ~= 'table' then return tostring(v) end
  if depth > 6 then return '{...}' end
  local parts = {}
  for key, value in pairs(v) do
    parts[#parts + 1] = '[' .. show(key, depth + 1) .. ']=' .. show(value, depth + 1)
  end
  return '{' .. table.concat(parts, ',') .. '}'
end

local function results(...)
  local parts = {}
  for i = 1, select('#', ...) do parts[i] = show((select(i, ...)), 0) end
  return table.concat(parts, ' ')
end

return results(pcall(function() CASE end))
