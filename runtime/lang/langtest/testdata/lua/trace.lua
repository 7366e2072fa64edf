local function inner(t)
  return t.missing.value -- HERE
end
local function outer()
  local x = inner({}) -- FRAME
  return x
end
print((outer())) -- FRAME
