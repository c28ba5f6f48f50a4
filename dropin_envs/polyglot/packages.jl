# What a model's artifact may ask for, at the versions that MLJ 0.16 was released with. An artifact
# holds objects of these packages: with other versions it may not load.
using Pkg

Pkg.add([
    PackageSpec(name = "MLJ", version = "0.16"),
    PackageSpec(name = "MLJClusteringInterface"),
    PackageSpec(name = "MLJDecisionTreeInterface"),
    PackageSpec(name = "MLJGLMInterface"),
    PackageSpec(name = "MLJLIBSVMInterface"),
    PackageSpec(name = "MLJMultivariateStatsInterface"),
    PackageSpec(name = "MLJXGBoostInterface"),
    PackageSpec(name = "CSV", version = "0.8"),
    PackageSpec(name = "DataFrames"),
])
Pkg.precompile()
