function transform(data, model)
    setproperty!(data, first(propertynames(data)), data.spare)
    data
end

function post_process(predictions, model)
    predictions.Predictions .+= 1000
    predictions
end
