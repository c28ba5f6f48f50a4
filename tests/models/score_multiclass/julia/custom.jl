load_model(code_dir) = "a twentieth"

function score(data, model; class_labels, kwargs...)
    share = data.a ./ 20
    x, y, z = Symbol.(class_labels)
    NamedTuple{(x, y, z)}((fill(0.5, length(share)), share, 0.5 .- share))
end
