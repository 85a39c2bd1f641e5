--- What a column holds where the comment of a frame does not say it.

local codes, drop, hop_name = ...

local match = string.match

local DUPLICATE, ORIGINAL, EVENT = codes.verdict.duplicate, codes.verdict.original, codes.verdict.event
local BYTES = codes.evidence.bytes

-- The hop that a path ends with.
local function last_hop(path)
  return match(path, "^.* > (.*)$") or path
end

local function is_duplicate(said)
  return said.previous ~= nil
end

-- By column: a function of what the comment says. `is_sound` in annotation.lua has the same for numbers, faster.
return {
  packet = function(said)
    return said.verdict ~= EVENT and said.frame or nil
  end,
  previous = function(said)
    return said.packet ~= said.frame and said.packet or nil
  end,
  appearance = function(said)
    return said.packet and (is_duplicate(said) and 2 or 1)
  end,
  hop_elapsed = function(said)
    return said.previous == said.packet and said.hop_delta or nil
  end,
  verdict = function(said)
    return is_duplicate(said) and DUPLICATE or ORIGINAL
  end,
  path = function(said)
    return not is_duplicate(said) and said.hop or nil
  end,
  hop = function(said)
    return is_duplicate(said) and said.path and last_hop(said.path) or nil
  end,
  hop_role = function(said)
    return said.hop and (hop_name.split_role(said.hop))
  end,
  evidence = function(said)
    return is_duplicate(said) and BYTES or nil
  end,
  drop = function(said)
    return said.drop_reason and true or nil
  end,
  drop_harmless = function(said)
    if said.drop then
      return false
    end
    return nil
  end,
  drop_reason_text = function(said)
    return drop.texts[said.drop_reason]
  end,
  drop_advice = function(said)
    return said.drop and drop.advice(said.drop_reason, said.drop_location) or nil
  end,
}
