using PolyHost: describe, predict_frame

struct Slope
    by::Float64
end
predict(model::Slope, data) = model.by .* data.a
features(::Slope) = ["a"]
row_wise(::Slope) = true

struct Extended end
PolyHost.predict(::Extended, data) = [0.25 0.75; 0.5 0.5]
PolyHost.classes(::Extended) = [:no, :yes]

function with_model(model, target_type = "regression", labels = String[])
    session = PolyHost.Session(mktempdir(); target_type = target_type, labels = labels)
    session.model = model
    session
end

@testset "a type with predict beside it" begin
    session = with_model(Slope(2.0))
    @test predict_frame(session, Frame(a = [1, 2])) == (["Predictions"], [[2.0, 4.0]])
    @test describe(session) == (
        framework = "Slope",
        labels = [],
        columns = [(name = "a", kind = "any", levels = [], ordered = false)],
        target_type = nothing,
        row_wise = true,
        predicts = true,
    )
    @test_throws PolyHost.Fault predict_frame(session, Frame(b = [1]))
end

@testset "a type that extends PolyHost" begin
    session = with_model(Extended(), "binary", ["yes", "no"])
    @test predict_frame(session, Frame(a = [1, 2])) == (["no", "yes"], [[0.25, 0.5], [0.75, 0.5]])
end

@testset "a type that nothing predicts for" begin
    session = with_model("text")
    @test !describe(session).predicts
    @test_throws PolyHost.Fault predict_frame(session, Frame(a = [1]))
end
