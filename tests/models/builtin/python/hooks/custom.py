def transform(data, model):
    spare = data.pop("spare")
    return data.assign(**{data.columns[0]: spare})


def post_process(predictions, model):
    return predictions + 1000
