using PolyHost: Answer, answer_of, call_unstructured

same(a::Answer, b::Answer) = (a.body, a.mimetype, a.charset) == (b.body, b.mimetype, b.charset)

@test same(answer_of("x"), Answer("x", nothing, nothing))
@test same(answer_of(nothing), Answer(nothing, nothing, nothing))
@test same(answer_of(b"ab"), Answer([0x61, 0x62], nothing, nothing))
@test same(answer_of(("x", Dict(:mimetype => "a/b"))), Answer("x", "a/b", nothing))
@test same(answer_of((nothing, (charset = "c",))), Answer(nothing, nothing, "c"))
@test_throws PolyHost.Fault answer_of(1)
@test_throws PolyHost.Fault answer_of(("x", 1))

given = (model = 1, mimetype = "t")
@test call_unstructured((d; model, kwargs) -> (model, kwargs), (0,), given) == (1, (mimetype = "t",))
@test call_unstructured((d; model, kwargs...) -> (model, kwargs[:mimetype]), (0,), given) == (1, "t")

using PolyHost: form_of

struct Trained end
const MODEL = Trained()

@testset "the forms of score_unstructured" begin
    for (expected, f) in (
        (:by_name, (data; model, kwargs) -> 1),
        (:by_name, (anything; model, kwargs...) -> 1),
        (:by_name, (data; kwargs...) -> 1),
        (:by_name, (args...; kwargs...) -> 1),
        (:model_first, (model, data; kwargs...) -> 1),
        (:model_first, (model, data; mimetype) -> 1),
        (:model_first, (model, text) -> 1),
        (:model_first, (_, data) -> 1),
        (:model_first, (fitted, data = ""; kwargs...) -> 1),
        (:model_first, (model, data = ""; kwargs...) -> 1),
        (:model_first, (a::Trained, b) -> 1),
        (:model_first, (a, b::AbstractString) -> 1),
        (:data_first, (data, model; kwargs...) -> 1),
        (:data_first, (data, fitted) -> 1),
        (:data_first, (data, model = nothing; kwargs...) -> 1),
        (:data_first, (a, b::Trained) -> 1),
        (:data_first, (a::Union{String,Vector{UInt8}}, b) -> 1),
    )
        @test form_of(f, MODEL, "text") === expected
    end
end

@testset "what stays ambiguous is refused" begin
    for f in ((a, b) -> 1, (a, b; kwargs...) -> 1, (a, b = 1; kwargs...) -> 1)
        @test_throws PolyHost.Fault form_of(f, MODEL, "text")
    end
    wrong = (model::String, data::Trained) -> 1  # names against types
    @test_throws PolyHost.Fault form_of(wrong, MODEL, "text")
    @test_throws PolyHost.Fault form_of((a, b, c) -> 1, MODEL, "text")
    # A model that is a text itself: only names can decide.
    @test form_of((model, data) -> 1, "the model", "hello world") === :model_first
    @test_throws PolyHost.Fault form_of((a::String, b::String) -> 1, "the model", "hello world")
end

@testset "methods by type" begin
    several(model, data::String) = 1
    several(model, data::Vector{UInt8}) = 2
    @test form_of(several, MODEL, "text") === :model_first
    @test form_of(several, MODEL, UInt8[]) === :model_first
    texts(model, data::String) = 1
    @test_throws PolyHost.Fault form_of(texts, MODEL, UInt8[])
end
