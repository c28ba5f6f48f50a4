module Custom

using PyCall

load_model(code_dir) = "none"

function score_unstructured(data; model, kwargs)
    mode = get(kwargs.query, "mode", "upper")
    mode == "upper" && return uppercase(data)
    mode == "bytes" && return pybytes([0x00, 0x01, 0x02, 0xff])
    mode == "none" && return nothing
    mode == "length" && return string(length(data))
    mode == "raise" && error("asked to fail")
    "{\"ok\":true}", PyDict(Dict("mimetype" => "application/json", "charset" => "utf8"))
end

end
