# Packages of the model's own project. None is needed, so none is named in Project.toml: each is
# looked up by its identity and used when the project has it.

const CSV_PACKAGE = Base.PkgId(Base.UUID("336ed68f-0bac-5ca0-87d4-7b16caf5d00b"), "CSV")
const DATAFRAMES = Base.PkgId(Base.UUID("a93c6f00-e57d-5684-b7b6-d8193f3e46c0"), "DataFrames")
const TABLES = Base.PkgId(Base.UUID("bd369af6-aec1-5ad0-b16a-f7cc5008161c"), "Tables")
const MLJBASE = Base.PkgId(Base.UUID("a7f614a8-145f-11e9-1d2a-a57a1082229d"), "MLJBase")
const CATEGORICAL =
    Base.PkgId(Base.UUID("324d7699-5711-5eae-9e2f-1d82baa6b597"), "CategoricalArrays")
const BSON_PACKAGE = Base.PkgId(Base.UUID("fbb218c0-5317-5bc6-957e-2ee96dd4b1f0"), "BSON")

loaded(package::Base.PkgId) = get(Base.loaded_modules, package, nothing)

"""The package's module, loaded if the project has it; nothing when it has not."""
function optional(package::Base.PkgId)
    found = loaded(package)
    found === nothing || return found
    Base.locate_package(package) === nothing ? nothing : Base.require(package)
end

"""Whether the active environments hold a package that calls back into a host's Python."""
calls_python() = any(mentions_python, Base.load_path())

function mentions_python(environment::AbstractString)
    folder = isdir(environment) ? environment : dirname(environment)
    any(("JuliaManifest.toml", "Manifest.toml")) do name
        manifest = joinpath(folder, name)
        isfile(manifest) &&
            occursin(r"^\[\[(deps\.)?(PyCall|PythonCall)\]\]"m, read(manifest, String))
    end
end

"""Teach Tables.jl, when something has loaded it, that a `Frame` is a table."""
function extend_tables()
    tables = loaded(TABLES)
    (tables === nothing || Base.invokelatest(tables.istable, Frame)) && return
    Core.eval(
        tables,
        quote
            istable(::Type{$Frame}) = true
            columnaccess(::Type{$Frame}) = true
            columns(df::$Frame) = df
            columnnames(df::$Frame) = propertynames(df)
            getcolumn(df::$Frame, i::Int) = df[!, i]
            getcolumn(df::$Frame, name::Symbol) = df[!, name]
            schema(df::$Frame) = Schema($names_of(df), map(eltype, $columns_of(df)))
        end,
    )
    nothing
end

"""
    as_frame(value) -> Frame

The columns of any table: a `Frame`, a named tuple or dictionary of vectors, a DataFrame, or
whatever Tables.jl knows once it is loaded. `nothing` when the value is no table.
"""
as_frame(df::Frame) = df
as_frame(table::NamedTuple) =
    all(column -> column isa AbstractVector, values(table)) ? Frame(table) : nothing
as_frame(table::AbstractDict) =
    all(column -> column isa AbstractVector, values(table)) ?
    Frame(collect(keys(table)), collect(values(table))) : nothing
as_frame(table) = Base.invokelatest(as_foreign_frame, table)

function as_foreign_frame(table)
    frames = loaded(DATAFRAMES)
    if frames !== nothing && table isa frames.AbstractDataFrame
        return Frame(propertynames(table), collect(AbstractVector, eachcol(table)))
    end
    tables = loaded(TABLES)
    tables !== nothing && tables.istable(table) || return nothing
    columns = tables.columns(table)
    names = collect(Symbol, tables.columnnames(columns))
    Frame(names, AbstractVector[collect(tables.getcolumn(columns, name)) for name in names])
end
