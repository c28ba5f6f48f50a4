using PolyHost: Answer, answer_of, call_unstructured

same(a::Answer, b::Answer) = (a.body, a.mimetype, a.charset) == (b.body, b.mimetype, b.charset)

@test same(answer_of("x"), Answer("x", nothing, nothing))
@test same(answer_of(nothing), Answer(nothing, nothing, nothing))
@test same(answer_of(b"ab"), Answer([0x61, 0x62], nothing, nothing))
@test same(answer_of(("x", Dict(:mimetype => "a/b"))), Answer("x", "a/b", nothing))
@test same(answer_of((nothing, (charset = "c",))), Answer(nothing, nothing, "c"))
@test_throws PolyHost.Fault answer_of(1)
@test_throws PolyHost.Fault answer_of(("x", 1))

told = (model = 1, mimetype = "t")
@test call_unstructured((d; model, kwargs) -> (model, kwargs), (0,), told) == (1, (mimetype = "t",))
@test call_unstructured((d; model, kwargs...) -> (model, kwargs[:mimetype]), (0,), told) == (1, "t")
