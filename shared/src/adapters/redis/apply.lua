-- One batch, whole or not at all. It decides nothing: positions are compared, numbers added, registers kept by order.
-- KEYS: the positions' keys, then one for each operation.
-- ARGV: how many positions; of each from ('' where not set) and to; of each operation its letter and arguments.
local at, n = 1, tonumber(ARGV[1])
local function take() at = at + 1; return ARGV[at] end

local stored, elsewhere = {}, false
for i = 1, n do
  stored[i] = redis.call('GET', KEYS[i])
  if (stored[i] or '') ~= ARGV[2 * i] then elsewhere = true end
end
if elsewhere then return stored end

-- A user who lacks a command is refused before anything is written, not in the middle. Redis before 7 cannot tell.
local needs = {
  add = { { 'INCRBY', '1' }, { 'GET' }, { 'SET', '1', 'KEEPTTL' }, { 'PEXPIREAT', '1' } },
  max = { { 'HSET', 'f', 'v' }, { 'HGET', 'f' }, { 'DEL' } },
  replace = { { 'HSET', 'f', 'v' }, { 'HGET', 'f' } },
  remove = { { 'HDEL', 'f' } },
  removeupto = { { 'HDEL', 'f' }, { 'HGET', 'f' } },
  contribute = { { 'SET', '1' }, { 'GET' }, { 'PEXPIREAT', '1' }, { 'EXISTS' } },
  wait = { { 'ZADD', '1', 'm' }, { 'ZREM', 'm' } },
}
local function lacks(key, command)
  local name, rest = command[1], { unpack(command, 2) }
  return not redis.acl_check_cmd(name, key, unpack(rest)) and name
end
if redis.acl_check_cmd then
  for i = 1, n do
    local name = lacks(KEYS[i], { 'SET', '1' })
    if name then return redis.error_reply('NOPERM this user may not ' .. name .. ' ' .. KEYS[i]) end
  end
  local here, seen = 2 * n + 2, {}
  for i = n + 1, #KEYS do
    local kind = ARGV[here]
    -- All commands of a kind once, and each key.
    for j = 1, seen[kind] and 1 or #needs[kind] do
      local name = lacks(KEYS[i], needs[kind][j])
      if name then return redis.error_reply('NOPERM this user may not ' .. name .. ' ' .. KEYS[i]) end
    end
    seen[kind] = true
    if kind == 'add' or kind == 'removeupto' then here = here + 3
    elseif kind == 'contribute' then
      for _, of in ipairs({ { 2, 'add' }, { 5, 'add' }, { 6, 'wait' } }) do
        local kind = of[2]
        for _, one in ipairs(cjson.decode(ARGV[here + of[1]])) do
          for j = 1, seen['its ' .. kind] and 1 or #needs[kind] do
            local name = lacks(one[1], needs[kind][j])
            if name then return redis.error_reply('NOPERM this user may not ' .. name .. ' ' .. one[1]) end
          end
          seen['its ' .. kind] = true
        end
      end
      here = here + 7
    elseif kind == 'max' or kind == 'replace' then here = here + 4
    else here = here + 2 + tonumber(ARGV[here + 1]) end
  end
end

-- Before anything else is written: a server that refuses writes refuses here.
for i = 1, n do take(); redis.call('SET', KEYS[i], take()) end

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

local function add_until(key, by, expires)
  add(key, by)
  if expires ~= '' then redis.call('PEXPIREAT', key, expires) end
end

local function negative(by) return string.sub(by, 1, 1) == '-' and string.sub(by, 2) or '-' .. by end

-- What another program left at the key of a set goes.
local function wait(set, member, since)
  local done = since == '' and redis.pcall('ZREM', set, member) or redis.pcall('ZADD', set, since, member)
  if type(done) == 'table' and done.err then
    redis.call('DEL', set)
    if since ~= '' then redis.call('ZADD', set, since, member) end
  end
end

-- What the thing said last is taken back, but for `keeps`. What is kept is its order and the text of its contributions.
local function contribute(key, order, text, expires, only_known, keeps, waits)
  local held = redis.pcall('GET', key)
  if type(held) ~= 'string' then held = false end
  if not held and only_known == '1' then return end
  if held and order_of(held) >= order then return end
  local former = held and string.match(held, '^[%d.]*|(.*)$')
  if former then
    for _, one in ipairs(cjson.decode(former)) do add_until(one[1], negative(one[2]), one[3]) end
  end
  for _, one in ipairs(cjson.decode(text)) do add_until(one[1], one[2], one[3]) end
  for _, one in ipairs(cjson.decode(keeps)) do add_until(one[1], one[2], one[3]) end
  for _, one in ipairs(cjson.decode(waits)) do wait(one[1], key, one[2]) end
  redis.call('SET', key, order .. '|' .. text)
  if expires == '' then return end
  redis.call('PEXPIREAT', key, expires)
  -- Its time has passed: messages are counted anew, and what comes twice comes soon.
  if redis.call('EXISTS', key) == 0 then redis.call('SET', key, order .. '|' .. text, 'PX', 600000) end
end

for i = n + 1, #KEYS do
  local operation = take()
  if operation == 'add' then
    add_until(KEYS[i], take(), take())
  elseif operation == 'contribute' then
    contribute(KEYS[i], take(), take(), take(), take(), take(), take())
  elseif operation == 'max' then
    max(KEYS[i], take(), take(), take())
  elseif operation == 'replace' then
    local field, was, now = take(), take(), take()
    if redis.pcall('HGET', KEYS[i], field) == was then redis.call('HSET', KEYS[i], field, now) end
  elseif operation == 'removeupto' then
    remove_up_to(KEYS[i], take(), take())
  else
    for _ = 1, tonumber(take()) do redis.pcall('HDEL', KEYS[i], take()) end
  end
end
return false
