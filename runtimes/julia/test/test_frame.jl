example() = Frame(a = [1, 2, 3], b = ["x", "y", "z"])

@testset "shape and names" begin
    df = example()
    @test (nrow(df), ncol(df), size(df), size(df, 1)) == (3, 2, (3, 2), 3)
    @test names(df) == ["a", "b"]
    @test propertynames(df) == [:a, :b]
    @test hasproperty(df, :a) && !hasproperty(df, :c)
    @test size(Frame()) == (0, 0)
    @test size(Frame((n = [1],))) == (1, 1)
end

@testset "columns" begin
    df = example()
    @test df.a === df[!, :a] === df[!, "a"] === df[!, 1]
    @test df[:, :a] == df.a && df[:, :a] !== df.a
    @test df[2, :b] == "y"
    @test df[[1, 3], :a] == [1, 3]
    @test df[2, :] == (a = 2, b = "y")
    @test df[:, [:b]] == Frame(b = ["x", "y", "z"])
    @test df[!, [:a]].a === df.a
    @test df[2:3, ["b", "a"]] == Frame(b = ["y", "z"], a = [2, 3])
    @test df[df.a.>1, :] == df[2:3, :]
    @test_throws ArgumentError df.c
    @test_throws BoundsError df[!, 3]
end

@testset "changes" begin
    df = example()
    df.c = 2 .* df.a
    df[!, :d] = fill(0, 3)
    df[:, :e] = df.c
    df.a .= 9
    df[2, :b] = "w"
    df[!, :f] = 1.5
    @test names(df) == ["a", "b", "c", "d", "e", "f"]
    @test (df.a, df.b, df.c, df.e, df.f) ==
          ([9, 9, 9], ["x", "w", "z"], [2, 4, 6], [2, 4, 6], [1.5, 1.5, 1.5])
    @test df.e !== df.c
    @test_throws DimensionMismatch df.g = [1]
    @test select(df, :c, "b") == df[:, [:c, :b]]
    @test names(select!(df, [:c, :a])) == ["c", "a"]
end

@testset "whole frames" begin
    df = example()
    @test copy(df) == df && copy(df).a !== df.a
    @test isequal(Frame(a = [missing]), Frame(a = [missing]))
    @test collect(eachrow(df))[3] == (a = 3, b = "z")
    @test eachcol(df)[1] === df.a
    @test first(df, 2) == df[1:2, :]
    @test Matrix(Frame(a = [1, 2], b = [3, 4])) == [1 3; 2 4]
    @test Matrix{Float64}(Frame(a = [1], b = [2])) isa Matrix{Float64}
    @test sprint(show, df) == "3 rows x 2 columns: a, b\n  1, \"x\"\n  2, \"y\"\n  3, \"z\""
    @test_throws DimensionMismatch Frame(a = [1], b = [1, 2])
    @test_throws ArgumentError Frame([:a, :a], [[1], [1]])
    @test PolyHost.unique_names([:a, :a, :a_1, :b]) == [:a, :a_2, :a_1, :b]
end
