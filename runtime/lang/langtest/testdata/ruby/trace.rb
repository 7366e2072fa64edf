def inner(n)
  10 / n # HERE
end

def outer(n)
  inner(n - 1) # FRAME
end

puts outer(1) # FRAME
