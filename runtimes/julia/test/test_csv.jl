using Dates, Random

value(T, text) = (bytes = Vector{UInt8}(codeunits(text)); PolyHost.read_value(T, bytes, 1, length(bytes)))

@testset "floats are those of tryparse, to the last bit" begin
    random = MersenneTwister(1)
    texts = String[]
    for _ = 1:20_000
        push!(texts, string(reinterpret(Float64, rand(random, UInt64))))
        push!(texts, string(rand(random, -10^6:10^6), "e", rand(random, -40:40)))
        push!(texts, string(rand(random, Int64), ".", rand(random, 0:10^12)))
        push!(texts, string(rand(random, 0:999), ".", rand(random, 0:999)))
    end
    @test all(text -> isequal(value(Float64, text), tryparse(Float64, text)), texts)
end

@testset "what is a number" begin
    @test value(Float64, "1.") === 1.0 && value(Float64, ".5") === 0.5
    @test value(Float64, "1f3") === 1000.0
    @test value(Float64, "-Infinity") === -Inf && isnan(value(Float64, "NaN"))
    @test all(t -> value(Float64, t) === nothing, ["", ".", "-", "1e", "e5", "0x1", "1_0", " 1", "nano"])
    @test value(Float64, "-1e400") === -Inf && value(Float64, "1e-400") === 0.0
    @test value(Int64, "-9223372036854775808") === typemin(Int64)
    @test all(t -> value(Int64, t) === nothing, ["", "+", "9223372036854775808", "1.0", "1 "])
end

@testset "times" begin
    @test value(Date, "2020-2-29") === Date(2020, 2, 29)
    @test value(DateTime, "2020-01-02T03:04:05.6") === DateTime(2020, 1, 2, 3, 4, 5, 600)
    @test value(DateTime, "2020-01-02T03") === DateTime(2020, 1, 2, 3)
    @test value(Time, "23:59:59.000000001") === Time(23, 59, 59, 0, 0, 1)
    @test all(t -> value(Date, t) === nothing, ["2021-02-29", "10-12", "2020-01-", "2020-01-02x", "--"])
    @test all(t -> value(DateTime, t) === nothing, ["2020-01-02", "2020-01-02T25", "2020-01-02T1:2:3.4567"])
    @test all(t -> value(Time, t) === nothing, ["12", "24:00", "1:60", "1:2:3.", ":"])
end

@testset "columns" begin
    df = read_csv("i,f,b,d,s,m\n1,1,true,2020-01-02,x,\n,2.5,False,,\"a\"\"b\nc\",\n")
    @test isequal(
        df,
        Frame(
            i = [1, missing],
            f = [1.0, 2.5],
            b = [true, false],
            d = [Date(2020, 1, 2), missing],
            s = ["x", "a\"b\nc"],
            m = [missing, missing],
        ),
    )
    @test map(eltype, eachcol(df)) ==
          [Union{Missing,Int64}, Float64, Bool, Union{Missing,Date}, String, Missing]
end

@testset "bodies" begin
    @test read_csv("") == Frame()
    @test read_csv(IOBuffer("a\r\n1\r\n")) == Frame(a = [1])
    @test read_csv(UInt8[0xef, 0xbb, 0xbf, 0x61, 0x0a, 0x31]) == Frame(a = [1])
    @test names(read_csv("a,,a\n1,2,3\n")) == ["a", "Column2", "a_1"]
    @test isequal(read_csv("a,b\n1\n2,3,4\n"), Frame(a = [1, 2], b = [missing, 3], Column3 = [missing, 4]))
    @test isequal(read_csv("a\n\"\"\nx\n"), Frame(a = [missing, "x"]))
    @test_throws PolyHost.Fault read_csv("a\n\"x\n")
end
