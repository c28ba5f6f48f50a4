using PolyHost: Session, call, hook_names, run_hook, run_init, run_load_model

function session_of(custom; kwargs...)
    code_dir = mktempdir()
    write(joinpath(code_dir, "custom.jl"), custom)
    Session(code_dir; custom_file = joinpath(code_dir, "custom.jl"), kwargs...)
end

latest(f, args...) = Base.invokelatest(f, args...)

@testset "hooks, with a module and without" begin
    for custom in (
        "init(dir) = nothing\nscore(data, model) = data\nother() = 1",
        "module Custom\nexport init\ninit(dir) = nothing\nscore(data, model) = data\nend",
    )
        @test latest(hook_names, redirected(() -> session_of(custom))) == [:init, :score]
    end
    @test hook_names(Session(mktempdir())) == []
end

@testset "load_model and score" begin
    session = redirected() do
        session_of("load_model(dir) = isdir(dir) ? 2.0 : 0\nscore(data, model) = (p = model .* data.a,)")
    end
    @test latest(run_load_model, session)
    @test latest(run_hook, session, :score, Frame(a = [1, 2])) == (p = [2.0, 4.0],)
    @test_throws PolyHost.Fault run_init(session)
end

@testset "forms of keywords" begin
    told = (a = 1, b = 2)
    @test call((x; kwargs) -> kwargs, (0,), told) == told
    @test call((x; kwargs...) -> (; kwargs...), (0,), told) == told
    @test call((x; b) -> b, (0,), told) == 2
    @test call(x -> x, (0,), told) == 0
    @test_throws MethodError call(x -> x, (0, 1), told)
end
