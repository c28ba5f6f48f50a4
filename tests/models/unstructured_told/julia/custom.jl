module Custom

load_model(code_dir) = "none"

function score_unstructured(data; model, kwargs)
    charset = get(kwargs, :charset, nothing)
    kind = data isa AbstractString ? "text" : "bytes"
    told = [kwargs.mimetype, something(charset, "absent"), kind, get(kwargs.query, "k", "absent")]
    join(told, "|")
end

export load_model, score_unstructured

end
