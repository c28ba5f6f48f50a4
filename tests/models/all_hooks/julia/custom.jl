module Custom

using PolyHost

const KEPT = Ref(0.0)

init(code_dir) = KEPT[] = 1.0

load_model(code_dir) = 2.0

function read_input_data(bytes)
    lines = split(String(bytes), '\n')
    read_csv(join(filter(line -> !startswith(line, "#"), lines), '\n'))
end

function transform(data, model)
    data.c = 10 .* data.a
    data
end

score(data, model; kwargs...) = Frame(Predictions = data.c .+ model .* data.b .+ KEPT[])

function post_process(predictions, model)
    predictions.Predictions .+= 1000
    predictions
end

end
