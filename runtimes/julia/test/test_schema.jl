using Dates

kinds(columns) = [(c.name, c.kind) for c in map(PolyHost.described, columns)]

@testset "kinds of columns" begin
    columns = PolyHost.ColumnSchema[
        PolyHost.column_schema(Symbol(name), kind) for (name, kind) in pairs((
            a = Float32,
            b = Union{Missing,Int8},
            c = Bool,
            d = String,
            e = Date,
            f = DateTime,
            g = :Continuous,
            h = :Count,
            i = "Textual",
            j = Any,
            k = ["x", "y"],
            l = (1, 2),
        ))
    ]
    @test kinds(columns) == [
        ("a", "number"),
        ("b", "integer"),
        ("c", "boolean"),
        ("d", "text"),
        ("e", "date"),
        ("f", "time"),
        ("g", "number"),
        ("h", "integer"),
        ("i", "text"),
        ("j", "any"),
        ("k", "category"),
        ("l", "category"),
    ]
    @test_throws PolyHost.Fault PolyHost.column_schema(:a, :Wrong)
    @test_throws PolyHost.Fault PolyHost.column_schema(:a, 3)
end

@testset "levels" begin
    levels = PolyHost.Levels([1.0, 2.5, true, "a"]; ordered = true)
    @test PolyHost.described(PolyHost.column_schema(:x, levels)) ==
          (name = "x", kind = "category", levels = ["1", "2.5", "true", "a"], ordered = true)
    numbers = PolyHost.leveled(Int32[1, -1, 0], PolyHost.Levels([10, 20]))
    @test isequal(numbers, [20, missing, 10])
    @test eltype(numbers) == Union{Missing,Int}
    @test PolyHost.leveled(Int32[], PolyHost.Levels(["a"])) == String[]
end
