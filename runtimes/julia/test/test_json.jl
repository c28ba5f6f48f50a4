using PolyHost: json

@test json((a = Any[1, 2.5, nothing, missing], b = Dict("k" => (true, "x")))) ==
      "{\"a\":[1,2.5,null,null],\"b\":{\"k\":[true,\"x\"]}}"
@test json("q\"\\\n\u1é") == "\"q\\\"\\\\\\u000a\\u0001é\""
@test json([NaN, Inf, 1 // 2]) == "[null,null,0.5]"
@test json([]) == "[]" && json(Dict()) == "{}"
@test json(:symbol) == "\"symbol\""
@test json("a\xffb") == "\"a\ufffdb\""
