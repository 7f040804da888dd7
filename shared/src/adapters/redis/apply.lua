-- One batch, whole or not at all. It decides nothing: positions and things are compared, numbers added, registers kept by order.
-- KEYS: the positions' keys, the things' keys, then one for each operation.
-- ARGV: how many positions; of each from ('' where not set) and to; how many things; of each what it was ('' where it was not
-- known), what it is, and until when ('' for ever); of each operation its letter and arguments.
-- Answers nothing when all was done, where the positions stand when one stands elsewhere, 1 when a thing is not what it was.
local n = tonumber(ARGV[1])
local things = tonumber(ARGV[2 * n + 2])
local first_thing = 2 * n + 3
local first_operation = first_thing + 3 * things
-- Lua takes no more values than some thousands in one call.
local AT_ONCE = 1000

local stored, elsewhere = {}, false
for i = 1, n do
  stored[i] = redis.call('GET', KEYS[i])
  if (stored[i] or '') ~= ARGV[2 * i] then elsewhere = true end
end
if elsewhere then return stored end

for first = 1, things, AT_ONCE do
  local last = math.min(first + AT_ONCE - 1, things)
  local held = redis.call('MGET', unpack(KEYS, n + first, n + last))
  for i = first, last do
    if (held[i - first + 1] or '') ~= ARGV[first_thing + 3 * (i - 1)] then return 1 end
  end
end

-- How many arguments follow an operation's letter; of those with a list, how many there are is the first of them.
local arguments = { add = 2, max = 3, replace = 3, removeupto = 2, forget = 0 }
local function length(here)
  return arguments[ARGV[here]] or 1 + tonumber(ARGV[here + 1])
end

-- A user who lacks a command is refused before anything is written, not in the middle. Redis before 7 cannot tell. That the
-- user may write these keys Redis itself has seen to, since all of them are declared.
local needs = {
  position = { { 'SET', '1' } },
  thing = { { 'SET', '1', 'PX', '1' } },
  add = { { 'INCRBY', '1' }, { 'GET' }, { 'SET', '1', 'KEEPTTL' }, { 'PEXPIREAT', '1' } },
  max = { { 'HSET', 'f', 'v' }, { 'HGET', 'f' }, { 'DEL' } },
  replace = { { 'HSET', 'f', 'v' }, { 'HGET', 'f' } },
  remove = { { 'HDEL', 'f' } },
  removeupto = { { 'HDEL', 'f' }, { 'HGET', 'f' } },
  forget = { { 'UNLINK' } },
  wait = { { 'ZADD', '1', 'm' }, { 'DEL' } },
  waitnot = { { 'ZREM', 'm' }, { 'DEL' } },
}
local function lacks(kind, key)
  for _, command in ipairs(needs[kind]) do
    if not redis.acl_check_cmd(command[1], key, unpack(command, 2)) then return command[1] .. ' ' .. key end
  end
  return false
end
if redis.acl_check_cmd then
  local first = {}
  if n > 0 then first.position = KEYS[1] end
  if things > 0 then first.thing = KEYS[n + 1] end
  local here = first_operation
  for i = n + things + 1, #KEYS do
    first[ARGV[here]] = first[ARGV[here]] or KEYS[i]
    here = here + 1 + length(here)
  end
  local lacking = things > 0 and not redis.acl_check_cmd('TIME') and 'TIME'
  for kind, key in pairs(first) do lacking = lacking or lacks(kind, key) end
  if lacking then return redis.error_reply('NOPERM this user may not ' .. lacking) end
end

-- Before anything else is written: a server that refuses writes refuses here.
for i = 1, n do redis.call('SET', KEYS[i], ARGV[2 * i + 1]) end

-- What would end in the past ends in ten minutes: messages are counted anew, and what comes twice comes soon.
local now = 0
if things > 0 then
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
local KEPT_MS_MIN, KEPT_MS_MAX = 600000, 1e14
for i = 1, things do
  local is, expires = ARGV[first_thing + 3 * i - 2], ARGV[first_thing + 3 * i - 1]
  if expires == '' then
    redis.call('SET', KEYS[n + i], is)
  else
    local left = tonumber(expires) - now
    if left <= 0 then left = KEPT_MS_MIN end
    redis.call('SET', KEYS[n + i], is, 'PX', string.format('%.0f', math.min(left, KEPT_MS_MAX)))
  end
end

-- A text that is no integer becomes the integer it begins with; beyond 64 bits the counter stays.
local function add(key, by)
  if type(redis.pcall('INCRBY', key, by)) == 'number' then return end
  local text = redis.pcall('GET', key)
  local sign, digits = string.match(type(text) == 'string' and text or '', '^%s*([+-]?)0*(%d+)')
  if not digits or digits == '0' or sign == '+' then sign = '' end
  redis.call('SET', key, sign .. (digits or '0'), 'KEEPTTL')
  redis.pcall('INCRBY', key, by)
end

-- Orders are digits of equal length, so that texts compare as the numbers do.
local function order_of(held) return string.match(held, '^([%d.]*)|') or '' end

local function max(key, field, order, value)
  local held = redis.pcall('HGET', key, field)
  if type(held) == 'table' then redis.call('DEL', key); held = false end
  if not held or order_of(held) < order then redis.call('HSET', key, field, order .. '|' .. value) end
end

local function remove_up_to(key, field, order)
  local held = redis.pcall('HGET', key, field)
  if type(held) == 'string' and order_of(held) <= order then redis.call('HDEL', key, field) end
end

-- Calls a command with many arguments. What another program left at the key of a set goes.
local function on_set(command, key, from, to)
  for first = from, to, AT_ONCE do
    local last = math.min(first + AT_ONCE - 1, to)
    local done = redis.pcall(command, key, unpack(ARGV, first, last))
    if type(done) == 'table' and done.err then
      redis.call('DEL', key)
      redis.call(command, key, unpack(ARGV, first, last))
    end
  end
end

local here = first_operation
for i = n + things + 1, #KEYS do
  local key, operation, a = KEYS[i], ARGV[here], here + 1
  if operation == 'add' then
    add(key, ARGV[a])
    if ARGV[a + 1] ~= '' then redis.call('PEXPIREAT', key, ARGV[a + 1]) end
  elseif operation == 'max' then
    max(key, ARGV[a], ARGV[a + 1], ARGV[a + 2])
  elseif operation == 'replace' then
    if redis.pcall('HGET', key, ARGV[a]) == ARGV[a + 1] then redis.call('HSET', key, ARGV[a], ARGV[a + 2]) end
  elseif operation == 'removeupto' then
    remove_up_to(key, ARGV[a], ARGV[a + 1])
  elseif operation == 'forget' then
    redis.call('UNLINK', key)
  elseif operation == 'wait' then
    on_set('ZADD', key, a + 1, here + length(here))
  elseif operation == 'waitnot' then
    on_set('ZREM', key, a + 1, here + length(here))
  else
    for field = a + 1, here + length(here) do redis.pcall('HDEL', key, ARGV[field]) end
  end
  here = here + 1 + length(here)
end
return false
