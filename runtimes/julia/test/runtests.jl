using PolyHost, Test

"""Run `f` with stderr put aside: a module defined anew is warned of."""
redirected(f) = open(f_err -> redirect_stderr(f, f_err), tempname(), "w")

@testset "PolyHost" begin
    @testset "$file" for file in ("frame", "csv", "json", "session", "models", "schema",
        "unstructured", "entries")
        include("test_$file.jl")
    end
end
