load_model(code_dir) = 2.0

function score(data, model)
    while first(data.a) == 666
        sleep(1)
    end
    (Predictions = data.a .+ model .* data.b,)
end
