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
    given = (a = 1, b = 2)
    @test call((x; kwargs) -> kwargs, (0,), given) == given
    @test call((x; kwargs...) -> (; kwargs...), (0,), given) == given
    @test call((x; b) -> b, (0,), given) == 2
    @test call(x -> x, (0,), given) == 0
    @test_throws MethodError call(x -> x, (0, 1), given)
end

@testset "init in every form" begin
    for form in (
        "init(dir) = SEEN[] = dir",
        "init(dir; kwargs...) = SEEN[] = dir",
        "init(; code_dir) = SEEN[] = code_dir",
        "init(; kwargs...) = SEEN[] = kwargs[:code_dir]",
        "init(; code_dir, kwargs...) = SEEN[] = code_dir",
        "init(; kwargs) = SEEN[] = kwargs.code_dir",
        "init(dir = \"none\"; kwargs...) = SEEN[] = dir",
        "init() = SEEN[] = CODE",
    )
        session = redirected() do
            session_of("const SEEN = Ref{Any}(nothing)\nconst CODE = @__DIR__\n$form")
        end
        latest(run_init, session)
        @test session.hooks.SEEN[] == session.code_dir
    end
end

@testset "hooks wherever the file has them" begin
    for custom in (
        "\"doc\"\nmodule Custom\n\"doc\"\nscore(data, model) = data\nend",
        "module Mine\nexport score\nscore(data, model) = data\nend",
        "module Helper\nhelp() = 1\nend\nscore(data, model) = Helper.help()",
        "\"\"\"\nmodule Custom\n\"\"\"\nscore(data, model) = data",
        "#=\nmodule Custom\n=#\nscore(data, model) = data",
    )
        @test latest(hook_names, redirected(() -> session_of(custom))) == [:score]
    end
end

@testset "a read hook that returns nothing" begin
    session = redirected(() -> session_of("read_input_data(bytes) = nothing"))
    @test_throws PolyHost.Fault latest(run_hook, session, :read_input_data, UInt8[])
end

@testset "fit" begin
    mktempdir() do folder
        session = redirected() do
            session_of("fit(X, y, dir; parameters) = write(joinpath(dir, \"n\"), string(y, parameters))")
        end
        @test latest(hook_names, session) == [:fit]
        rows, target = read_csv("a\n1\n2\n"), read_csv("y\n3\n4\n")
        given = (class_order = nothing, row_weights = nothing, parameters = Dict("k" => 1))
        Base.invokelatest(PolyHost.run_fit, session, rows, target, folder; given...)
        @test read(joinpath(folder, "n"), String) == "[3, 4]" * string(Dict("k" => 1))
    end
end
