--- Tables of plain text, for fixed-width letters.

local gsub, rep = string.gsub, string.rep

-- How many characters a text has: bytes that go on with one do not count.
local function width(text)
  local _, characters = gsub(text, "[^\128-\191]", "")
  return characters
end

--- Lays out rows of texts, two blanks between columns.
-- @param rows  lists of as many texts each, the headings first
-- @param align a letter a column: "l" left, "r" right
-- @return the lines, as one text
return function(rows, align)
  local widths = {}
  for _, row in ipairs(rows) do
    for at = 1, #row do
      widths[at] = math.max(widths[at] or 0, width(row[at]))
    end
  end
  local lines = {}
  for _, row in ipairs(rows) do
    local cells = {}
    for at = 1, #row do
      local room = rep(" ", widths[at] - width(row[at]))
      cells[at] = align:sub(at, at) == "l" and row[at] .. room or room .. row[at]
    end
    lines[#lines + 1] = gsub(table.concat(cells, "  "), " *$", "\n", 1)
  end
  return table.concat(lines)
end
