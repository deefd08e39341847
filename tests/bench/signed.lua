-- For wrk: one call again and again, each time with the next of the tokens that were signed beforehand.
-- Arguments: the file of the body, and the file of the tokens, one a line; without it no token is sent.
local body
local tokens = {}
local sent = 0

function init(arguments)
  local file = assert(io.open(arguments[1], "rb"))
  body = file:read("*a")
  file:close()
  if arguments[2] then
    for token in io.lines(arguments[2]) do
      tokens[#tokens + 1] = token
    end
  end
end

function request()
  local headers = { ["content-type"] = "application/json" }
  if #tokens > 0 then
    sent = sent + 1
    -- Past the last one the call is refused, which ends the benchmark: a token that is used again would be, too.
    headers["authorization"] = "Bearer " .. (tokens[sent] or "none-left")
  end
  return wrk.format("POST", nil, headers, body)
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "seconds": %f, "refused": %d, "failed": %d, "p50_ms": %f, "p99_ms": %f}\n',
    summary.requests,
    summary.duration / 1e6,
    errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3
  ))
end
