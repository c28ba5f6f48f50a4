using Dates, PolyHost
using PolyHost: TABLE, address, outgoing

entry(name) = TABLE[findfirst(f -> nameof(f) === name, collect(PolyHost.ENTRIES))]

function enter(name, handle = 0, data = UInt8[])
    out = zeros(Int64, 8)
    status = GC.@preserve data ccall(
        entry(name),
        Cint,
        (Int64, Ptr{UInt8}, Int64, Ptr{Int64}),
        handle,
        pointer(data),
        sizeof(data),
        out,
    )
    status, out
end

@testset "every entry has an address" begin
    @test length(TABLE) == length(PolyHost.ENTRIES)
    @test all(!=(C_NULL), TABLE)
end

@testset "an error is reported as JSON" begin
    status, _ = enter(:do_rows, 999_999)
    @test status == 1
    _, out = enter(:do_last_error)
    text = unsafe_string(Ptr{UInt8}(out[1]), out[2])
    @test occursin("\"kind\":\"ModelError\",\"type\":\"KeyError\"", text)
end

@testset "columns out" begin
    kinds(column) = outgoing(column).kind
    @test kinds([1.5]) == 1 && kinds([1]) == 6 && kinds([true]) == 11
    @test outgoing([1, missing]).data |> v -> isequal(v, [1.0, NaN])
    @test outgoing([Date(1970, 1, 2), missing]).data == [1, typemin(Int64)]
    @test outgoing([DateTime(1970, 1, 1, 0, 0, 1)]).data == [1000]
    text = outgoing(Any["é", nothing, "ab"])
    @test (text.kind, String(text.data), text.aux, text.mask) ==
          (14, "éab", [0, 2, 2, 4], [false, true, false])
    @test String(outgoing(Any[1, "a"]).data) == "1\"a\""
    @test outgoing([missing, nothing]).kind == 1
end
